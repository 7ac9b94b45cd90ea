//! What a simulated bucket answers of many keys: listings, and deletes with an outcome for each.

use super::bucket::{Answer, Bucket, Request, texts};

/// Keys of a page, fewer than anybody asks for.
const PAGE_KEYS: usize = 7;

impl Bucket {
    /// A page of ListObjectsV2.
    pub(super) fn list(&self, request: &Request) -> Answer {
        let prefix = request.query("prefix").unwrap_or_default();
        let after = request.query("continuation-token").unwrap_or_default();
        let mut keys = self.keys().filter(|key| key.starts_with(prefix) && *key > after);
        let page: Vec<_> = keys.by_ref().take(PAGE_KEYS).collect();
        let mut inside = String::new();
        for key in &page {
            let (size, etag) = self.look(key);
            let key = percent_encoded(key);
            inside.push_str(&format!(
                "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag></Contents>"
            ));
        }
        let rest = keys.next().is_some();
        inside.push_str(&format!("<IsTruncated>{rest}</IsTruncated>"));
        if let (true, Some(last)) = (rest, page.last()) {
            let token = escaped(last);
            inside.push_str(&format!("<NextContinuationToken>{token}</NextContinuationToken>"));
        }
        inside.push_str("<EncodingType>url</EncodingType>");
        Answer::document("ListBucketResult", &inside)
    }

    /// DeleteObjects; every key for which `is_refused` is left alone and told to come back.
    pub(super) fn delete_many(
        &mut self,
        request: &Request,
        is_refused: impl Fn(usize) -> bool,
    ) -> Answer {
        let asked = String::from_utf8_lossy(&request.body).into_owned();
        let mut inside = String::new();
        for (at, text) in texts(&asked, "Key").enumerate() {
            if is_refused(at) {
                inside.push_str(&format!("<Error><Key>{text}</Key><Code>SlowDown</Code></Error>"));
            } else {
                self.remove(&unescaped(text));
                inside.push_str(&format!("<Deleted><Key>{text}</Key></Deleted>"));
            }
        }
        Answer::document("DeleteResult", &inside)
    }
}

/// Undoes the encoding of a part of a URL.
pub(super) fn percent_decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, behind)) = rest.split_first() {
        let pair = (first == b'%').then(|| behind.get(..2)).flatten();
        let pair = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        let value = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        bytes.push(value.unwrap_or(first));
        rest = if value.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
            char::from(byte).to_string()
        }
        // As S3 does it.
        b' ' => "+".to_owned(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescaped(text: &str) -> String {
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    plain.replace("&apos;", "'").replace("&amp;", "&")
}
