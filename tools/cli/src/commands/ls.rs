//! `hydrant ls`: what is in a bucket, beneath a prefix, in a directory. Pages come one after
//! another, so one connection serves them all.

use std::fs;
use std::io::{self, BufWriter, Write};

use hydrant::{ListEntry, ListRequest};

use crate::exit::Failure;
use crate::human;
use crate::json::Line;
use crate::options::{Options, Weight};
use crate::place;

/// List objects: time (UTC), size in bytes, name
///
/// Without --recursive the names end at the next `/`, and what lies behind it is one line `PRE`.
/// With it, whole keys are listed. A prefix that no key has is no failure. Of a URL one line is shown,
/// for HTTP knows no lists.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant ls s3://photos/2026/
  hydrant ls -r --json s3://photos | jq .size_bytes
  AWS_ENDPOINT_URL=http://127.0.0.1:9000 hydrant --no-sign-request ls s3://photos

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION are read.")]
pub struct Args {
    /// A bucket, a prefix, a directory or a URL
    #[arg(value_name = "URI", default_value = ".")]
    uri: String,

    /// Every key beneath it, whole
    #[arg(long, short)]
    recursive: bool,

    /// A line of JSON for each entry (schema hydrant.ls/1)
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    let uri = place::prefix("URI", &args.uri)?;
    let client = options.client(Weight::Questions)?;
    let place = client.open(uri.clone())?;
    let mut out = BufWriter::new(io::stdout());
    let show = |entry: &ListEntry, skip| match args.json {
        true => in_json(entry),
        false => in_columns(entry, skip),
    };
    if uri.scheme().is_url() {
        // What lies beneath it no server tells.
        let meta = place.store.head(&place.key).await?;
        let entry = ListEntry::Object { key: place.to_string(), meta };
        writeln!(out, "{}", show(&entry, 0)).map_err(Failure::stdout)?;
        return out.flush().map_err(Failure::stdout);
    }
    let mut pages = place.store.list(ListRequest {
        prefix: place.key.clone(),
        delimiter: (!args.recursive).then_some('/'),
        ..ListRequest::default()
    });
    // Names without the part that was asked for, as `aws s3 ls` shows them; whole with --recursive.
    let skip = if args.recursive { 0 } else { place.key.rfind('/').map_or(0, |at| at + 1) };
    let mut is_empty = true;
    while let Some(page) = pages.next_page().await {
        for entry in page?.entries {
            writeln!(out, "{}", show(&entry, skip)).map_err(Failure::stdout)?;
            is_empty = false;
        }
        // A page that came is shown, whatever becomes of the next.
        out.flush().map_err(Failure::stdout)?;
    }
    if is_empty && uri.scheme().is_path() {
        // As a prefix a path that is not there is empty, but nobody who types it means a prefix.
        fs::symlink_metadata(uri.key()).map_err(Failure::local(format!("list {uri}")))?;
    }
    Ok(())
}

fn in_columns(entry: &ListEntry, skip: usize) -> String {
    let name = human::name(entry.key().get(skip..).unwrap_or(entry.key()));
    match entry {
        ListEntry::Object { meta, .. } => {
            let modified = meta.modified.map(human::moment).unwrap_or_default();
            format!("{modified:19} {:>12} {name}", meta.size_bytes)
        }
        ListEntry::Prefix(_) => format!("{:>32} {name}", "PRE"),
    }
}

fn in_json(entry: &ListEntry) -> String {
    let line = Line::new("hydrant.ls/1");
    match entry {
        ListEntry::Object { key, meta } => line
            .text("key", key)
            .number("size_bytes", meta.size_bytes)
            .maybe("modified", meta.modified.map(human::iso8601).as_deref())
            .maybe("etag", meta.etag.as_ref().map(|etag| etag.as_str()))
            .finish(),
        ListEntry::Prefix(prefix) => line.text("prefix", prefix).finish(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use hydrant::{Etag, ObjectMeta};

    use super::*;

    fn object() -> ListEntry {
        let mut meta = ObjectMeta::of_size(1234);
        meta.modified = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_210_096));
        meta.etag = Etag::new("\"abc\"");
        ListEntry::Object { key: "a/b".into(), meta }
    }

    #[test]
    fn columns_stand_below_each_other() {
        let prefix = ListEntry::Prefix("a/c/".into());
        assert_eq!(in_columns(&object(), 2), "2024-02-29 12:34:56         1234 b");
        assert_eq!(in_columns(&prefix, 2), "                             PRE c/");
        assert_eq!(in_columns(&object(), 0).find("a/b"), in_columns(&prefix, 0).find("a/c"));
    }

    #[test]
    fn json_has_whole_keys() {
        let line = r#"{"schema":"hydrant.ls/1","key":"a/b","size_bytes":1234,"modified":"2024-02-29T12:34:56Z","etag":"\"abc\""}"#;
        assert_eq!(in_json(&object()), line);
        let prefix = ListEntry::Prefix("a/c/".into());
        assert_eq!(in_json(&prefix), r#"{"schema":"hydrant.ls/1","prefix":"a/c/"}"#);
    }
}
