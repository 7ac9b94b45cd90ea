//! A command over several objects: each failure is told when it happens, the others go on, and the
//! end says how many failed.

use std::io::{self, Write};

use crate::exit::Failure;
use crate::human;

/// Counts what failed.
#[derive(Debug)]
pub struct Tally {
    of: usize,
    failed: usize,
    first: Option<(String, Failure)>,
}

impl Tally {
    /// For so many objects.
    pub fn of(of: usize) -> Tally {
        Tally { of, failed: 0, first: None }
    }

    /// More objects came to light.
    pub fn expect_more(&mut self, more: usize) {
        self.of += more;
    }

    /// Takes the result of one object. Only failures of the object itself are counted; one that
    /// ends the whole command (stdout, a signal) comes back.
    pub fn take(&mut self, uri: &str, result: Result<(), Failure>) -> Result<(), Failure> {
        let failure = match result {
            Ok(()) => return Ok(()),
            Err(failure @ Failure::Store(_)) => failure,
            Err(failure) => return Err(failure),
        };
        if self.of > 1 {
            // Where stderr is closed, the exit code still tells.
            let _ = writeln!(io::stderr(), "failed {}", told(uri, &failure));
        }
        self.failed += 1;
        self.first.get_or_insert_with(|| (uri.to_owned(), failure));
        Ok(())
    }

    /// The result of the command: an only object's own failure, or how many of several failed.
    pub fn finish(self) -> Result<(), Failure> {
        match self.first {
            None => Ok(()),
            Some((_, failure)) if self.of == 1 => Err(failure),
            Some((uri, failure)) => {
                let first = told(&uri, &failure);
                Err(Failure::Some { failed: self.failed, of: self.of, first })
            }
        }
    }
}

/// What failed with which object; most failures of the library name it themselves.
fn told(uri: &str, failure: &Failure) -> String {
    let text = failure.to_string();
    if text.contains(uri) { human::name(&text) } else { format!("{}: {text}", human::name(uri)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Failure {
        Failure::from(hydrant::engine::Error::InvalidInput("refused".into()))
    }

    #[test]
    fn an_only_object_fails_with_its_own_code() {
        let mut tally = Tally::of(1);
        tally.take("s3://b/k", Err(refused())).expect("counted");
        assert_eq!(tally.finish().expect_err("it failed").code(), crate::exit::USAGE);
    }

    #[test]
    fn of_several_some_failed() {
        let mut tally = Tally::of(3);
        for result in [Ok(()), Err(refused()), Err(refused())] {
            tally.take("s3://b/k", result).expect("counted");
        }
        let failure = tally.finish().expect_err("two failed");
        assert_eq!(failure.code(), crate::exit::OTHER);
        assert!(failure.to_string().starts_with("1 done, 2 failed; first s3://b/k"), "{failure}");
    }

    #[test]
    fn an_object_is_named_once() {
        let named = Failure::from(hydrant::engine::Error::InvalidInput("s3://b/k is gone".into()));
        assert_eq!(told("s3://b/k", &named), "s3://b/k is gone");
        assert_eq!(told("s3://b/k", &refused()), "s3://b/k: refused");
    }

    #[test]
    fn what_ends_the_command_is_not_counted() {
        assert!(Tally::of(2).take("s3://b/k", Err(Failure::ReaderGone)).is_err());
        assert!(Tally::of(2).finish().is_ok());
    }
}
