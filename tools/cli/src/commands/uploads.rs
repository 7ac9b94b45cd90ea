//! `hydrant uploads`: what was begun on a server and neither completed nor aborted. It is paid for, and
//! no listing of objects shows it.

use std::io::{self, BufWriter, Write};
use std::time::{Duration, SystemTime};

use clap::Subcommand;
use hydrant::Location;
use hydrant::s3::{AbortMultipartUpload, ListMultipartUploads, ListedUpload, S3Client, UploadPage};

use crate::exit::Failure;
use crate::human;
use crate::json::Line;
use crate::options::{Options, Weight};
use crate::place::prefix;
use crate::tally::Tally;
use crate::times;

/// Aborts that are asked for at once.
const ABORTS_AT_ONCE: usize = 16;

/// Show or abort uploads that were begun and never completed
///
/// A copy with --resume that failed or was killed leaves its upload, to be carried on; so do programs
/// that ended badly. Each is paid for until it is completed or aborted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant uploads ls s3://backup
  hydrant uploads ls --json s3://backup/2026/ | jq .upload_id
  hydrant uploads abort --older-than 7d s3://backup

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION are read.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List them: time (UTC) of the beginning, id, object
    Ls {
        /// A bucket, or a prefix in it
        #[arg(value_name = "URI")]
        uri: String,

        /// A line of JSON for each upload (schema hydrant.uploads/1)
        #[arg(long)]
        json: bool,
    },
    /// Abort them, with all parts that have come
    Abort {
        /// Buckets, objects, or folders: `s3://b/x` means the uploads to x and to all beneath x/
        #[arg(value_name = "URI", required = true)]
        uris: Vec<String>,

        /// Only those that were begun longer ago, such as 12h or 7d
        #[arg(long, value_name = "AGE", value_parser = times::parse_age)]
        older_than: Option<Duration>,
    },
}

impl Args {
    /// The name of the command on the command line.
    pub fn name(&self) -> &'static str {
        match self.what {
            What::Ls { .. } => "uploads ls",
            What::Abort { .. } => "uploads abort",
        }
    }
}

/// Runs it.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    match args.what {
        What::Ls { uri, json } => list(&uri, json, options).await,
        What::Abort { uris, older_than } => abort(&uris, older_than, options).await,
    }
}

/// The uploads beneath a prefix, a page at a time.
struct Pages {
    client: S3Client,
    ask: Option<ListMultipartUploads>,
}

impl Pages {
    fn of(place: &Location) -> Result<Pages, Failure> {
        let client = place.store.s3();
        let client = client.ok_or_else(|| Failure::Usage(format!("{place} is not on an S3")))?;
        let mut ask = ListMultipartUploads::default();
        ask.prefix = Some(place.key.clone()).filter(|prefix| !prefix.is_empty());
        Ok(Pages { client, ask: Some(ask) })
    }

    async fn next(&mut self) -> Result<Option<Vec<ListedUpload>>, Failure> {
        let Some(mut ask) = self.ask.take() else { return Ok(None) };
        let page = self.client.send(ask.clone()).await?;
        let UploadPage { uploads, next_key_marker, next_upload_id_marker, .. } = page;
        if next_key_marker.is_some() {
            (ask.key_marker, ask.upload_id_marker) = (next_key_marker, next_upload_id_marker);
            self.ask = Some(ask);
        }
        Ok(Some(uploads))
    }
}

async fn list(uri: &str, json: bool, options: &Options) -> Result<(), Failure> {
    let place = options.client(Weight::Questions)?.open(prefix("URI", uri)?)?;
    let mut pages = Pages::of(&place)?;
    let mut out = BufWriter::new(io::stdout());
    while let Some(uploads) = pages.next().await? {
        for upload in uploads {
            let uri = place.store.uri_of(&upload.key);
            let line = if json { in_json(&uri, &upload) } else { in_columns(&uri, &upload) };
            writeln!(out, "{line}").map_err(Failure::stdout)?;
        }
        out.flush().map_err(Failure::stdout)?;
    }
    Ok(())
}

fn in_columns(uri: &str, upload: &ListedUpload) -> String {
    let begun = upload.initiated.map(human::moment).unwrap_or_default();
    format!("{begun:19} {} {}", human::name(&upload.upload_id), human::name(uri))
}

fn in_json(uri: &str, upload: &ListedUpload) -> String {
    Line::new("hydrant.uploads/1")
        .text("uri", uri)
        .text("key", &upload.key)
        .text("upload_id", &upload.upload_id)
        .maybe("initiated", upload.initiated.map(human::iso8601).as_deref())
        .finish()
}

async fn abort(
    uris: &[String],
    older_than: Option<Duration>,
    options: &Options,
) -> Result<(), Failure> {
    let places: Vec<_> = uris.iter().map(|uri| prefix("URI", uri)).collect::<Result<_, _>>()?;
    let client = options.client(Weight::Questions)?;
    let begun_before = older_than.map(|age| SystemTime::now().checked_sub(age));
    let mut tally = Tally::of(0);
    for place in places {
        let place = client.open(place)?;
        let mut pages = Pages::of(&place)?;
        while let Some(uploads) = pages.next().await? {
            let wanted = uploads.into_iter().filter(|upload| {
                is_meant(&place.key, &upload.key) && is_old_enough(upload.initiated, begun_before)
            });
            let wanted: Vec<_> = wanted.collect();
            for some in wanted.chunks(ABORTS_AT_ONCE) {
                abort_all(&pages.client, &place, some, options, &mut tally).await?;
            }
        }
    }
    tally.finish()
}

async fn abort_all(
    client: &S3Client,
    place: &Location,
    uploads: &[ListedUpload],
    options: &Options,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let ask = |upload: &ListedUpload| AbortMultipartUpload::new(&upload.key, &upload.upload_id);
    let asked: Vec<_> = uploads.iter().map(|upload| client.send(ask(upload))).collect();
    tally.expect_more(uploads.len());
    for (upload, asked) in uploads.iter().zip(asked) {
        let uri = place.store.uri_of(&upload.key);
        let aborted = asked.await.map_err(Failure::Store);
        if aborted.is_ok() && !options.quiet {
            let (id, uri) = (human::name(&upload.upload_id), human::name(&uri));
            writeln!(io::stdout(), "aborted {id} {uri}").map_err(Failure::stdout)?;
        }
        tally.take(&uri, aborted)?;
    }
    Ok(())
}

/// A listing by prefix shows siblings too: `foo.bak` is not meant by `foo`.
fn is_meant(named: &str, key: &str) -> bool {
    let below = key.strip_prefix(named);
    named.is_empty()
        || named.ends_with('/')
        || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether an upload was begun before the moment that was asked for. One whose age is not known is
/// not old enough for anybody who asked.
fn is_old_enough(begun: Option<SystemTime>, before: Option<Option<SystemTime>>) -> bool {
    match (before, begun) {
        (None, _) => true,
        (Some(Some(before)), Some(begun)) => begun <= before,
        (Some(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_are_not_meant() {
        for (named, key, meant) in [
            ("", "a", true),
            ("a/", "a/b", true),
            ("a", "a", true),
            ("a", "a/b", true),
            ("a", "a.bak", false),
            ("a", "ab/c", false),
        ] {
            assert_eq!(is_meant(named, key), meant, "{named} {key}");
        }
    }

    #[test]
    fn what_may_be_young_is_left_alone() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(is_old_enough(None, None) && is_old_enough(Some(at(9)), None));
        assert!(is_old_enough(Some(at(5)), Some(Some(at(5)))));
        assert!(!is_old_enough(Some(at(6)), Some(Some(at(5)))));
        assert!(!is_old_enough(None, Some(Some(at(5)))));
        assert!(!is_old_enough(Some(at(6)), Some(None)));
    }

    #[test]
    fn lines_name_all_it_takes_to_abort() {
        let mut upload = ListedUpload::default();
        upload.key = "a/b".into();
        upload.upload_id = "x1".into();
        upload.initiated = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_210_096));
        assert_eq!(in_columns("s3://c/a/b", &upload), "2024-02-29 12:34:56 x1 s3://c/a/b");
        let json = r#"{"schema":"hydrant.uploads/1","uri":"s3://c/a/b","key":"a/b","upload_id":"x1","initiated":"2024-02-29T12:34:56Z"}"#;
        assert_eq!(in_json("s3://c/a/b", &upload), json);
    }
}
