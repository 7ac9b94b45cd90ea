//! What only S3 can be asked for, as options of a command that copies.

use hydrant::s3::{S3PutOptions, S3ReadOptions, ServerSide};
use hydrant::uri::Scheme;

use crate::exit::Failure;

/// What S3 is asked for besides the bytes.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "S3 alone")]
pub struct S3Args {
    /// Storage class of the destination, such as STANDARD_IA
    #[arg(long, value_name = "CLASS")]
    storage_class: Option<String>,

    /// Canned ACL of the destination, such as bucket-owner-full-control
    #[arg(long, value_name = "ACL")]
    acl: Option<String>,

    /// A tag of the destination; again for more
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = parse_tag)]
    tags: Vec<(String, String)>,

    /// How the server encrypts the destination, with a key that it has
    #[arg(long, value_name = "HOW")]
    sse: Option<Sse>,

    /// The key of KMS, by id, ARN or alias, instead of the account's own
    #[arg(long, value_name = "KEY", requires = "sse")]
    sse_kms_key_id: Option<String>,

    /// Agree to pay for requests and bytes at both ends
    #[arg(long)]
    requester_pays: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sse {
    /// A key of S3's own
    #[value(name = "AES256")]
    S3,
    /// A key of AWS KMS
    #[value(name = "aws:kms")]
    Kms,
}

impl S3Args {
    /// What is asked for where a source is read.
    pub fn of_source(&self, scheme: Option<Scheme>) -> Option<Box<S3ReadOptions>> {
        let asks = self.requester_pays && scheme == Some(Scheme::S3);
        asks.then(|| {
            let mut read = S3ReadOptions::default();
            read.access.requester_pays = true;
            Box::new(read)
        })
    }

    /// What is asked for where a destination is written.
    ///
    /// # Errors
    /// The destination is none of S3, and something is asked for that it cannot do.
    pub fn of_destination(
        &self,
        scheme: Option<Scheme>,
    ) -> Result<Option<Box<S3PutOptions>>, Failure> {
        let mut put = S3PutOptions::default();
        put.storage_class.clone_from(&self.storage_class);
        put.acl.clone_from(&self.acl);
        put.tags.clone_from(&self.tags);
        put.server_side = match (self.sse, &self.sse_kms_key_id) {
            (Some(Sse::S3), Some(_)) => {
                let text = "--sse-kms-key-id belongs to --sse aws:kms";
                return Err(Failure::Usage(text.to_owned()));
            }
            (Some(Sse::S3), None) => Some(ServerSide::S3),
            (Some(Sse::Kms), key_id) => Some(ServerSide::Kms {
                key_id: key_id.clone(),
                context: None,
                bucket_key: None,
                dual_layer: false,
            }),
            (None, _) => None,
        };
        let is_s3 = scheme == Some(Scheme::S3);
        if !is_s3 && put != S3PutOptions::default() {
            let text = "--storage-class, --acl, --tag and --sse are for destinations on S3";
            return Err(Failure::Usage(text.to_owned()));
        }
        put.access.requester_pays = self.requester_pays && is_s3;
        Ok((put != S3PutOptions::default()).then(|| Box::new(put)))
    }
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a tag is written NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        s3: S3Args,
    }

    fn read(line: &str) -> Result<S3Args, clap::Error> {
        Line::try_parse_from(line.split(' ')).map(|line| line.s3)
    }

    #[test]
    fn options_are_for_the_ends_that_know_them() {
        let all = "cp --storage-class GLACIER --acl private --tag a=b=c --tag d= --sse aws:kms \
                   --sse-kms-key-id alias/x --requester-pays";
        let args = read(all).expect("options");
        let put = args.of_destination(Some(Scheme::S3)).expect("S3").expect("asked for");
        assert_eq!(put.tags, [("a".into(), "b=c".into()), ("d".into(), String::new())]);
        assert!(
            matches!(&put.server_side, Some(ServerSide::Kms { key_id: Some(id), .. }) if id == "alias/x")
        );
        assert!(put.access.requester_pays && put.acl.as_deref() == Some("private"));
        assert!(
            args.of_destination(Some(Scheme::File)).is_err() && args.of_destination(None).is_err()
        );
        assert!(args.of_source(Some(Scheme::S3)).expect("asked for").access.requester_pays);
        assert_eq!(args.of_source(Some(Scheme::File)), None);
        // Who pays is no matter of files.
        let pays = read("cp --requester-pays").expect("options");
        assert_eq!(pays.of_destination(Some(Scheme::File)).expect("nothing"), None);
        assert_eq!(read("cp").expect("none").of_destination(Some(Scheme::S3)).expect("S3"), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["cp --tag a", "cp --tag =b", "cp --sse none", "cp --sse-kms-key-id x"] {
            assert!(read(line).is_err(), "{line}");
        }
        let args = read("cp --sse AES256 --sse-kms-key-id x").expect("options");
        assert!(args.of_destination(Some(Scheme::S3)).is_err());
    }
}
