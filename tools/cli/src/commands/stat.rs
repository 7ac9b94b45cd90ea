//! `hydrant stat`: what is known of one object.

use std::io::{self, Write};

use hydrant::ObjectMeta;

use crate::exit::Failure;
use crate::human;
use crate::json::Line;
use crate::options::{Options, Weight};
use crate::place::object;

/// Show size, time, ETag and content type of an object
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant stat s3://photos/2026/a.jpg
  hydrant stat --json ./a.jpg | jq .size_bytes

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION are read.")]
pub struct Args {
    /// The object
    #[arg(value_name = "URI")]
    uri: String,

    /// A line of JSON (schema hydrant.stat/1)
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    let uri = object("URI", &args.uri)?;
    let client = options.client(Weight::Questions)?;
    let place = client.open(uri)?;
    let meta = place.store.head(&place.key).await?;
    let uri = place.to_string();
    let text = if args.json { in_json(&uri, &meta) } else { in_lines(&uri, &meta) };
    writeln!(io::stdout(), "{text}").map_err(Failure::stdout)
}

fn in_lines(uri: &str, meta: &ObjectMeta) -> String {
    let mut text = format!("uri:       {}", human::name(uri));
    let (bytes, size) = (meta.size_bytes, human::size(meta.size_bytes));
    text.push_str(&format!("\nsize:      {bytes} bytes ({size})"));
    let modified = meta.modified.map(human::iso8601);
    let etag = meta.etag.as_ref().map(|etag| etag.as_str().to_owned());
    let known = [("modified:", modified), ("etag:", etag), ("type:", meta.content_type.clone())];
    for (name, value) in known {
        if let Some(value) = value {
            text.push_str(&format!("\n{name:10} {}", human::name(&value)));
        }
    }
    text
}

fn in_json(uri: &str, meta: &ObjectMeta) -> String {
    Line::new("hydrant.stat/1")
        .text("uri", uri)
        .number("size_bytes", meta.size_bytes)
        .maybe("modified", meta.modified.map(human::iso8601).as_deref())
        .maybe("etag", meta.etag.as_ref().map(|etag| etag.as_str()))
        .maybe("content_type", meta.content_type.as_deref())
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut meta = ObjectMeta::of_size(1 << 20);
        assert_eq!(
            in_lines("s3://b/k", &meta),
            "uri:       s3://b/k\nsize:      1048576 bytes (1 MiB)"
        );
        meta.content_type = Some("text/plain".into());
        assert!(in_lines("s3://b/k", &meta).ends_with("\ntype:      text/plain"));
        let json = r#"{"schema":"hydrant.stat/1","uri":"s3://b/k","size_bytes":1048576,"content_type":"text/plain"}"#;
        assert_eq!(in_json("s3://b/k", &meta), json);
    }
}
