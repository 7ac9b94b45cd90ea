//! What Hydrant and the floor agreed on with a server that speaks TLS: without the same cipher they
//! do not do the same work.

use std::collections::BTreeSet;

use super::super::tls::Tls;
use crate::failure::Result;

/// Of each side, over all its runs; nothing without TLS.
pub struct Agreed<'a> {
    tls: Option<&'a Tls>,
    of: Vec<BTreeSet<String>>,
}

impl<'a> Agreed<'a> {
    pub fn new(tls: Option<&'a Tls>, sides: usize) -> Agreed<'a> {
        Agreed { tls, of: vec![BTreeSet::new(); sides] }
    }

    /// After a run of the side at this place.
    ///
    /// # Errors
    /// As [`Tls::agreed`].
    pub fn note(&mut self, at: usize) -> Result<()> {
        if let Some(tls) = self.tls {
            self.of[at].insert(tls.agreed()?);
        }
        Ok(())
    }

    /// Prints it of all, and tells if the first two differ.
    pub fn difference(&self, names: &[&str]) -> Option<String> {
        let said = |at: usize| self.of[at].iter().cloned().collect::<Vec<_>>().join(" and ");
        for (at, name) in names.iter().enumerate().filter(|(at, _)| !self.of[*at].is_empty()) {
            println!("{name}: {}", said(at));
        }
        let differ = self.of[0] != self.of[1];
        differ.then(|| format!("{} by {}, {} by {}", names[0], said(0), names[1], said(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_must_have_the_same() {
        let names = ["hydrant", "floor", "curl"];
        let agreed = |of: [&str; 3]| {
            let of = of.map(|one| BTreeSet::from([one.to_owned()])).to_vec();
            Agreed { tls: None, of }.difference(&names)
        };
        assert_eq!(agreed(["TLSv1.3 ONE", "TLSv1.3 ONE", "TLSv1.2 TWO"]), None);
        let why = agreed(["TLSv1.3 ONE", "TLSv1.3 TWO", "TLSv1.3 ONE"]).expect("they differ");
        assert_eq!(why, "hydrant by TLSv1.3 ONE, floor by TLSv1.3 TWO");
        assert_eq!(Agreed::new(None, 3).difference(&names), None);
    }
}
