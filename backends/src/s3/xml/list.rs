//! A page of ListObjectsV2. Source: Amazon S3 API reference, ListObjectsV2, response syntax.

use super::plain::walk_plain;
use super::walk::{Leaf, walk};
use super::{XmlError, XmlLimits, some_text};
use crate::s3::encode::decode_listing;
use crate::s3::time::Timestamp;

/// One page of ListObjectsV2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage<O = ListedObject> {
    /// The objects, in the server's order (by key, in UTF-8 bytes, on S3).
    pub objects: Vec<O>,
    /// What lies beneath the prefix up to the delimiter, each once.
    pub common_prefixes: Vec<String>,
    /// What the next page is asked for with; `None` on the last page.
    pub next_continuation_token: Option<String>,
    /// Whether who asked pays; told by the head of the answer.
    pub request_charged: bool,
}

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Its canonical id.
    pub id: String,
    /// A name for people; AWS has stopped telling it.
    pub display_name: Option<String>,
}

/// One object of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedObject {
    /// The key, decoded.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// With its quotes, as a header has it. Not an MD5 where the object was uploaded in parts.
    pub etag: Option<String>,
    /// When it was written; `None` where the server's time cannot be read.
    pub last_modified: Option<Timestamp>,
    /// `STANDARD`, `GLACIER`, ...
    pub storage_class: Option<String>,
    /// Whose it is, where that was asked for.
    pub owner: Option<Owner>,
    /// The kinds of checksums that are kept of it.
    pub checksum_algorithms: Vec<String>,
    /// What they cover: `FULL_OBJECT` or `COMPOSITE`.
    pub checksum_type: Option<String>,
    /// Whether an archived object is being restored, where that was asked for.
    pub restore_in_progress: Option<bool>,
    /// Until when a restored object stays.
    pub restore_expiry: Option<Timestamp>,
}

impl<O> Default for ListPage<O> {
    fn default() -> ListPage<O> {
        ListPage {
            objects: Vec::new(),
            common_prefixes: Vec::new(),
            next_continuation_token: None,
            request_charged: false,
        }
    }
}

/// What an object of a page is read into.
pub(in crate::s3) trait Listed: Sized {
    /// What is known besides key and size, while the elements come in any order.
    type Rest: Default;

    /// Takes an element beneath `Contents` by its name, as `ETag` or `Owner/ID`; leaves out what it does not keep.
    fn take(rest: &mut Self::Rest, name: &str, text: &str);

    /// All of it.
    fn new(key: String, size: u64, rest: Self::Rest) -> Self;

    /// The key, which is decoded when the whole page has been read.
    fn key(&mut self) -> &mut String;
}

impl Listed for ListedObject {
    type Rest = ListedObject;

    fn take(rest: &mut ListedObject, name: &str, text: &str) {
        match name {
            "ETag" => rest.etag = some_text(text),
            "StorageClass" => rest.storage_class = some_text(text),
            "LastModified" => rest.last_modified = Timestamp::parse_iso8601(text).ok(),
            "ChecksumAlgorithm" => rest.checksum_algorithms.extend(some_text(text)),
            "ChecksumType" => rest.checksum_type = some_text(text),
            "Owner/ID" => rest.owner.get_or_insert_default().id = text.trim().to_owned(),
            "Owner/DisplayName" => {
                rest.owner.get_or_insert_default().display_name = some_text(text);
            }
            "RestoreStatus/IsRestoreInProgress" => {
                rest.restore_in_progress = Some(text.trim() == "true");
            }
            "RestoreStatus/RestoreExpiryDate" => {
                rest.restore_expiry = Timestamp::parse_iso8601(text).ok();
            }
            _ => {}
        }
    }

    fn new(key: String, size: u64, rest: ListedObject) -> ListedObject {
        ListedObject { key, size, ..rest }
    }

    fn key(&mut self) -> &mut String {
        &mut self.key
    }
}

/// Reads a page of ListObjectsV2. Keys and prefixes are decoded where the page says `encoding-type`
/// `url`.
pub fn parse_list_page(body: &[u8], limits: &XmlLimits) -> Result<ListPage, XmlError> {
    parse_listed(body, limits)
}

/// The same, into whatever objects are read into.
pub(in crate::s3) fn parse_listed<O: Listed>(
    body: &[u8],
    limits: &XmlLimits,
) -> Result<ListPage<O>, XmlError> {
    const ROOT: &str = "ListBucketResult";
    let mut page = ListPageBuilder::default();
    if walk_plain(body, limits, ROOT, |leaf| page.take(leaf, limits)).is_err() {
        page = ListPageBuilder::default();
        walk(body, limits, ROOT, |leaf| page.take(leaf, limits))?;
    }
    page.finish()
}

/// A page without `max-keys` has so many entries on S3: room for them is made at once where a page says that it has them.
const ENTRIES_EXPECTED: u64 = 1000;

struct ListPageBuilder<O: Listed> {
    page: ListPage<O>,
    /// Of the object being read; its elements may come in any order.
    key: Option<String>,
    size: Option<u64>,
    rest: O::Rest,
    truncated: bool,
    url_encoded: bool,
}

impl<O: Listed> Default for ListPageBuilder<O> {
    fn default() -> ListPageBuilder<O> {
        ListPageBuilder {
            page: ListPage::default(),
            key: None,
            size: None,
            rest: O::Rest::default(),
            truncated: false,
            url_encoded: false,
        }
    }
}

impl<O: Listed> ListPageBuilder<O> {
    fn take(&mut self, leaf: Leaf<'_>, limits: &XmlLimits) -> Result<(), XmlError> {
        let text = leaf.text;
        if let Some(name) = leaf.path.strip_prefix("Contents/") {
            match name {
                "Key" => self.key = Some(text.to_owned()),
                "Size" => self.size = Some(parse_number("Size", text)?),
                _ => O::take(&mut self.rest, name, text),
            }
            return Ok(());
        }
        match leaf.path {
            "Contents" => {
                let object = self.object()?;
                self.page.objects.push(object);
                self.check_entries(limits)?;
            }
            "CommonPrefixes/Prefix" => {
                self.page.common_prefixes.push(text.to_owned());
                self.check_entries(limits)?;
            }
            "KeyCount" => {
                let count = text.trim().parse().unwrap_or(0).min(ENTRIES_EXPECTED);
                self.page.objects.reserve(count as usize);
            }
            "IsTruncated" => self.truncated = parse_bool("IsTruncated", text)?,
            "NextContinuationToken" => self.page.next_continuation_token = some_text(text),
            "EncodingType" => self.url_encoded = parse_encoding(text)?,
            _ => {}
        }
        Ok(())
    }

    fn object(&mut self) -> Result<O, XmlError> {
        let key = self.key.take().ok_or(XmlError::Missing { element: "Key" })?;
        let size = self.size.take().ok_or(XmlError::Missing { element: "Size" })?;
        Ok(O::new(key, size, std::mem::take(&mut self.rest)))
    }

    fn check_entries(&self, limits: &XmlLimits) -> Result<(), XmlError> {
        limits.check_entries(self.page.objects.len() + self.page.common_prefixes.len())
    }

    fn finish(self) -> Result<ListPage<O>, XmlError> {
        let mut page = self.page;
        if !self.truncated {
            page.next_continuation_token = None;
        } else if page.next_continuation_token.is_none() {
            // Going on without the token would pass a part of the bucket off as the whole.
            return Err(XmlError::Missing { element: "NextContinuationToken" });
        }
        if self.url_encoded {
            for object in &mut page.objects {
                decode("Key", object.key())?;
            }
            for prefix in &mut page.common_prefixes {
                decode("Prefix", prefix)?;
            }
        }
        Ok(page)
    }
}

fn decode(element: &'static str, text: &mut String) -> Result<(), XmlError> {
    decode_listing(text).map_err(|source| XmlError::Encoding { element, source })
}

pub(in crate::s3) fn parse_number(element: &'static str, text: &str) -> Result<u64, XmlError> {
    let wrong = || wrong_value(element, text, "number of bytes");
    let digits = text.trim();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    digits.parse().map_err(|_| wrong())
}

pub(in crate::s3) fn parse_bool(element: &'static str, text: &str) -> Result<bool, XmlError> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong_value(element, text, "true or false")),
    }
}

/// Whether keys are URL-encoded. An empty element is what some servers send for "not encoded".
fn parse_encoding(text: &str) -> Result<bool, XmlError> {
    match text.trim() {
        "url" => Ok(true),
        "" => Ok(false),
        _ => Err(wrong_value("EncodingType", text, "known encoding of keys")),
    }
}

fn wrong_value(element: &'static str, text: &str, kind: &'static str) -> XmlError {
    XmlError::Value { element, text: text.chars().take(100).collect(), kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>bucket</Name><Prefix>p+%2F</Prefix><KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys>
  <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
  <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
  <Contents>
    <Key>a+b%0A%26</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>
    <ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size>
    <Owner><ID>o</ID><DisplayName>n</DisplayName></Owner><StorageClass>STANDARD</StorageClass>
  </Contents>
  <Contents><Size>0</Size><Key>zero</Key><Unknown><Key>not this one</Key></Unknown></Contents>
  <CommonPrefixes><Prefix>photos%2F</Prefix></CommonPrefixes>
</ListBucketResult>
"#;

    fn parse(text: &str) -> Result<ListPage, XmlError> {
        parse_list_page(text.as_bytes(), &XmlLimits::default())
    }

    fn page(inside: &str) -> String {
        format!("<ListBucketResult>{inside}</ListBucketResult>")
    }

    #[test]
    fn a_page_is_read_and_its_keys_decoded() {
        let page = parse(PAGE).unwrap();
        assert_eq!(
            page.next_continuation_token.as_deref(),
            Some("1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=")
        );
        assert_eq!(page.common_prefixes, ["photos/"]);
        assert_eq!(
            page.objects,
            [
                ListedObject {
                    key: "a b\n&".to_owned(),
                    size: 434_234,
                    etag: Some("\"fba9dede5f27731c9771645a39863328\"".to_owned()),
                    last_modified: Some(Timestamp::from_unix_seconds(1_255_369_830)),
                    storage_class: Some("STANDARD".to_owned()),
                    owner: Some(Owner { id: "o".to_owned(), display_name: Some("n".to_owned()) }),
                    ..ListedObject::default()
                },
                ListedObject { key: "zero".to_owned(), ..ListedObject::default() },
            ]
        );
    }

    #[test]
    fn keys_without_url_encoding_are_taken_as_they_are() {
        let text = page(
            "<Contents><Key> a+b%20&lt;&#x1F600;<![CDATA[<&]]> </Key><Size>1</Size></Contents>",
        );
        assert_eq!(parse(&text).unwrap().objects[0].key, " a+b%20<😀<& ");
    }

    #[test]
    fn namespace_prefixes_and_an_empty_page_are_read() {
        let text = "<s3:ListBucketResult xmlns:s3=\"x\"><s3:IsTruncated>false</s3:IsTruncated>\
                    <s3:Contents><s3:Key>k</s3:Key><s3:Size>2</s3:Size></s3:Contents>\
                    </s3:ListBucketResult>";
        assert_eq!(parse(text).unwrap().objects[0].size, 2);
        assert_eq!(parse("<ListBucketResult/>").unwrap(), ListPage::default());
    }

    #[test]
    fn the_last_page_has_no_token_even_if_one_is_sent() {
        let text = page(
            "<IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>",
        );
        assert_eq!(parse(&text).unwrap().next_continuation_token, None);
    }

    /// DATA-2
    #[test]
    fn a_truncated_page_without_a_token_is_no_whole_listing() {
        let text = page("<IsTruncated>true</IsTruncated>");
        let element = "NextContinuationToken";
        assert_eq!(parse(&text), Err(XmlError::Missing { element }));
    }

    /// DATA-2
    #[test]
    fn every_cut_of_a_page_is_an_error() {
        let whole = PAGE.trim_end();
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "{end}: {:?}", &whole[..end]);
        }
        let between = &whole[..whole.find("<CommonPrefixes>").unwrap()];
        assert_eq!(parse(between), Err(XmlError::Truncated));
    }

    #[test]
    fn objects_without_key_or_size_and_wrong_numbers_are_errors() {
        let object = |inside: &str| page(&format!("<Contents>{inside}</Contents>"));
        let missing = |element| Err(XmlError::Missing { element });
        assert_eq!(parse(&object("<Size>1</Size>")), missing("Key"));
        assert_eq!(parse(&object("<Key>k</Key>")), missing("Size"));
        for size in ["", "-1", "+1", "1.5", "18446744073709551616"] {
            let text = object(&format!("<Key>k</Key><Size>{size}</Size>"));
            assert!(matches!(parse(&text), Err(XmlError::Value { .. })), "{size}");
        }
        let text = page("<IsTruncated>yes</IsTruncated>");
        assert!(matches!(parse(&text), Err(XmlError::Value { .. })));
        let text = page("<EncodingType>rot13</EncodingType>");
        assert!(matches!(parse(&text), Err(XmlError::Value { .. })));
        let text = object("<Key>%zz</Key><Size>1</Size>");
        let text = text.replace("<Contents>", "<EncodingType>url</EncodingType><Contents>");
        assert!(matches!(parse(&text), Err(XmlError::Encoding { element: "Key", .. })));
    }

    #[test]
    fn a_size_is_not_carried_over_to_the_next_object() {
        let text = page(
            "<Contents><Key>a</Key><Size>1</Size></Contents><Contents><Key>b</Key></Contents>",
        );
        assert_eq!(parse(&text), Err(XmlError::Missing { element: "Size" }));
    }

    #[test]
    fn entries_have_a_limit() {
        let limits = XmlLimits { entries_max: 2, ..XmlLimits::default() };
        let entry = "<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>\
                     <Contents><Key>k</Key><Size>1</Size></Contents>";
        assert!(parse_list_page(page(entry).as_bytes(), &limits).is_ok());
        let three = page(&format!("{entry}<CommonPrefixes><Prefix>q</Prefix></CommonPrefixes>"));
        let over = Err(XmlError::Limit { limit: "entries_max", value: 2 });
        assert_eq!(parse_list_page(three.as_bytes(), &limits), over);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(body in any::<Vec<u8>>()) {
            let _ = parse_list_page(&body, &XmlLimits::default());
        }

        #[test]
        fn changed_pages_are_read_without_panic(
            changes in prop::collection::vec((0..PAGE.len(), any::<u8>()), 1..8),
            cut in 0..PAGE.len(),
        ) {
            let mut body = PAGE.as_bytes().to_vec();
            for (at, byte) in changes {
                body[at] = byte;
            }
            let _ = parse_list_page(&body, &XmlLimits::default());
            body.remove(cut);
            let _ = parse_list_page(&body[..cut], &XmlLimits::default());
            let _ = parse_list_page(&body[cut..], &XmlLimits::default());
        }

        #[test]
        fn pieces_of_markup_are_read_without_panic(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "<ListBucketResult>", "</ListBucketResult>", "<Contents>", "</Contents>", "<Key>",
                "</Key>", "<Size>", "</Size>", "1", "&amp;", "&", ";", "&#0;", "<", ">", "/", "<!--",
                "-->", "<![CDATA[", "]]>", "<?xml", "?>", "<!DOCTYPE", "\"", "'", " a='", "é", "\u{0}",
                "<EncodingType>url</EncodingType>", "%", "<a/b>", "</a/b>", "<:>", "</:>",
            ]), 0..24),
        ) {
            let _ = parse(&pieces.concat());
        }

        #[test]
        fn what_is_written_is_read(keys in prop::collection::vec(any::<String>(), 0..8)) {
            let mut text = b"<ListBucketResult><EncodingType>url</EncodingType>".to_vec();
            for key in &keys {
                text.extend_from_slice(b"<Contents><Key>");
                crate::s3::encode::encode_path(key.as_bytes(), &mut text);
                text.extend_from_slice(b"</Key><Size>1</Size></Contents>");
            }
            text.extend_from_slice(b"</ListBucketResult>");
            let page = parse_list_page(&text, &XmlLimits::default()).unwrap();
            let read: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
            prop_assert_eq!(read, keys);
        }
    }
}
