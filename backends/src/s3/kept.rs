//! Uploads that are carried on after they were given up or killed (DATA-3).
//!
//! What the server has it can list, but not whose bytes they are. So a journal in a directory of the
//! user's names the upload and its source, and has a record of each part that was answered; its seal
//! covers the tag that the server gave. A part counts as come when the server lists it with the length
//! and the tag that the record was sealed with, and its checksum can be named when the upload is
//! completed: S3 takes no completion of checked parts without their checksums. A part that the server
//! has copied itself has a record without a checksum, and is named without one.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use hydrant_engine::{Buf, Core};
use md5::{Digest, Md5};

use super::call::send;
use super::ops::{AbortMultipartUpload, ListParts, ListedPart};
use super::store::{Shared, access_of};
use super::upload::{S3Upload, create, is_no_such_upload};
use crate::checksum::{ChecksumAlgorithm, Crc64, Sum};
use crate::error::{ErrorKind, Result};
use crate::file::{Journal, difference, field_of, find_journal, head_of, is_whole, open_journal};
use crate::object::{Etag, ObjectMeta, PutOptions};
use crate::pipeline::PartRequest;
use crate::store::{
    CopyWay, KeptPart, LocalFuture, ObjectAt, PartTag, Resumed, Upload, UploadSource,
};

/// Where journals lie, beneath the directory of the program's state.
const JOURNALS: &str = "uploads";

/// The directory for what has to outlive a process: `$XDG_STATE_HOME/hydrant`, or
/// `~/.local/state/hydrant`. Source: XDG Base Directory Specification 0.8, which says too that paths
/// that are not absolute are to be ignored.
pub(super) fn state_dir(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".local/state"));
    absolute("XDG_STATE_HOME").or_else(home).map(|state| state.join("hydrant"))
}

/// Parts that the server has of an upload, by their number.
type Listed = HashMap<u32, ListedPart>;

#[derive(Debug)]
struct KeptUpload {
    upload: S3Upload,
    journal: Journal,
    /// What had come when the upload was taken up again.
    listed: Listed,
}

/// Takes up the upload to `key` that its journal names, or begins one with a journal.
pub(super) async fn resume(
    core: &Core,
    shared: &Arc<Shared>,
    key: &str,
    source: &UploadSource,
    options: &PutOptions,
) -> Result<Resumed> {
    let journal = journal_for(core, shared, key).await?;
    let found = journal.head(core).await?;
    let (listed, began_anew) = match found.is_empty() {
        true => (None, None),
        false => look(core, shared, key, source, options, &found).await?,
    };
    if let Some((upload, listed)) = listed {
        return Ok(Resumed {
            upload: Arc::new(KeptUpload { upload, journal, listed }),
            began_anew,
        });
    }
    journal.clear(core).await?;
    let upload = create(core, shared, key, options).await?;
    journal.begin(core, head_for(shared, key, source, options, upload.id())?).await?;
    let listed = Listed::new();
    Ok(Resumed { upload: Arc::new(KeptUpload { upload, journal, listed }), began_anew })
}

/// Throws away what an earlier transfer to `key` left, for one that goes without parts; why, where
/// there was something.
pub(super) async fn discard(
    core: &Core,
    shared: &Arc<Shared>,
    key: &str,
    options: &PutOptions,
) -> Result<Option<String>> {
    let Some(state) = &shared.config.state_dir else { return Ok(None) };
    let (dir, uri) = (state.join(JOURNALS), shared.uri_of(key));
    let found = find_journal(core, &dir, &journal_name(shared, key), &uri).await?;
    let Some(journal) = found else { return Ok(None) };
    let head = journal.head(core).await?;
    if field_of(&head, "destination").is_some_and(|noted| noted == destination(shared, key)) {
        let upload_id = field_of(&head, "upload_id").unwrap_or_default();
        throw_away(core, shared, key, &upload_id, options).await;
    }
    journal.remove(core).await?;
    Ok(Some("what was there came in parts, and all of it goes in one request now".to_owned()))
}

async fn journal_for(core: &Core, shared: &Shared, key: &str) -> Result<Journal> {
    let uri = shared.uri_of(key);
    let Some(state) = &shared.config.state_dir else {
        let text =
            format!("there is no place to note what has come of {uri}; set XDG_STATE_HOME or HOME");
        return Err(ErrorKind::Unsupported(text).into());
    };
    open_journal(core, &state.join(JOURNALS), &journal_name(shared, key), &uri).await
}

fn journal_name(shared: &Shared, key: &str) -> String {
    let digest = Md5::digest(destination(shared, key));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the upload that the journal `found` names has, or why it cannot be carried on.
async fn look(
    core: &Core,
    shared: &Arc<Shared>,
    key: &str,
    source: &UploadSource,
    options: &PutOptions,
    found: &str,
) -> Result<(Option<(S3Upload, Listed)>, Option<String>)> {
    let upload_id = field_of(found, "upload_id").unwrap_or_default();
    let wanted = head_for(shared, key, source, options, &upload_id)?;
    if let Some(why) = difference(found, &wanted) {
        let same = |name| field_of(found, name) == field_of(&wanted, name);
        let is_same_object = ["destination", "source", "etag", "size_bytes"].into_iter().all(same);
        let was_streamed = is_whole(found) && is_same_object && !same("copied_by");
        if source.way == CopyWay::OnServer && was_streamed {
            let why = "an earlier copy was streamed, and so this one is, too";
            return Err(ErrorKind::Unsupported(why.to_owned()).into());
        }
        if field_of(found, "destination") == field_of(&wanted, "destination") {
            throw_away(core, shared, key, &upload_id, options).await;
        }
        return Ok((None, Some(why)));
    }
    let upload = S3Upload::new(shared, key, upload_id, options);
    match list(core, shared, upload.list()).await {
        Ok(listed) => Ok((Some((upload, listed)), None)),
        Err(error) if is_no_such_upload(&error) => {
            Ok((None, Some("the server has nothing of what had come any more".into())))
        }
        Err(error) => Err(error),
    }
}

/// Aborts an upload that nobody will carry on. That it failed does not stop the one that begins.
async fn throw_away(
    core: &Core,
    shared: &Arc<Shared>,
    key: &str,
    upload_id: &str,
    options: &PutOptions,
) {
    let mut abort = AbortMultipartUpload::new(key, upload_id);
    abort.access = access_of(options);
    match send(core, shared, &abort).await {
        Err(error) if !is_no_such_upload(&error) => {
            core.report(format_args!("upload {upload_id} is left behind: {error}"));
        }
        _ => {}
    }
}

/// Every page: a first page taken for all would send parts again that are there.
async fn list(core: &Core, shared: &Arc<Shared>, mut ask: ListParts) -> Result<Listed> {
    let mut listed = Listed::new();
    loop {
        let page = send(core, shared, &ask).await?;
        listed.extend(page.parts.into_iter().map(|part| (part.number, part)));
        ask.part_number_marker = page.next_part_number_marker;
        if ask.part_number_marker.is_none() {
            return Ok(listed);
        }
    }
}

fn destination(shared: &Shared, key: &str) -> String {
    format!("{} {}", shared.endpoint, shared.uri_of(key))
}

fn head_for(
    shared: &Shared,
    key: &str,
    source: &UploadSource,
    options: &PutOptions,
    upload_id: &str,
) -> Result<String> {
    let destination = destination(shared, key);
    // What was asked for when an upload began holds for it, whatever its completion is asked for.
    let asked = options.s3.as_ref().map_or_else(|| "none".to_owned(), |asked| asked.digest());
    // An upload has the checksum that it was begun with to its end.
    let checksum = shared.checks.of_upload().map_or("none", |(algorithm, _)| algorithm.name());
    let more = [
        ("destination", &*destination),
        ("checksum", checksum),
        ("asked", &*asked),
        ("upload_id", upload_id),
    ];
    head_of(source, &more)
}

/// The checksum that a listed part was sent with, where the upload was begun with one.
///
/// # Errors
/// It is not known, and its bytes are not here to be summed again.
fn sum_of(
    listed: &ListedPart,
    named: Option<ChecksumAlgorithm>,
    noted: Crc64,
) -> std::result::Result<Option<Sum>, Unknown> {
    match named {
        None => Ok(None),
        Some(ChecksumAlgorithm::Crc64Nvme) => Ok(Some(noted.into())),
        Some(algorithm) => {
            let told = listed.checksums.get(algorithm);
            told.and_then(|text| Sum::parse(algorithm, text)).map(Some).ok_or(Unknown)
        }
    }
}

#[derive(Debug)]
struct Unknown;

impl KeptUpload {
    async fn part(
        &self,
        core: &Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
        sum: Option<Sum>,
    ) -> (Result<PartTag>, Buf) {
        let crc = Crc64::known_or_of(sum, &buf.as_slice()[span.clone()]);
        let (sent, buf) = self.upload.part(core, part, buf, span, Some(crc.into())).await;
        let noted = match &sent {
            Ok(PartTag { etag: Some(etag), .. }) => {
                self.journal.note(core, part.index, crc, etag.as_str()).await
            }
            _ => Ok(()),
        };
        (sent.and_then(|tag| noted.map(|()| tag)), buf)
    }

    async fn kept(&self, core: &Core, part: PartRequest) -> Result<Option<KeptPart>> {
        let Some((etag, noted)) = self.noted(core, part).await? else { return Ok(None) };
        let listed = &self.listed[&(part.number() as u32)];
        let Ok(sum) = sum_of(listed, self.upload.checksum(), noted) else { return Ok(None) };
        let tag = PartTag { part, etag: Some(etag), sum };
        Ok(Some(KeptPart { tag, crc64nvme: noted, in_memory: false }))
    }

    async fn copy(
        &self,
        core: &Core,
        part: PartRequest,
        from: &ObjectAt,
        etag: &Etag,
    ) -> Result<PartTag> {
        let tag = self.upload.copy_part(core, part, from, etag).await?;
        if let Some(etag) = &tag.etag {
            self.journal.note(core, part.index, Crc64::OF_NOTHING, etag.as_str()).await?;
        }
        Ok(tag)
    }

    /// The tag of a part that has come, and the checksum that was noted with it.
    async fn noted(&self, core: &Core, part: PartRequest) -> Result<Option<(Etag, Crc64)>> {
        let listed = self.listed.get(&(part.number() as u32));
        let whole = listed.filter(|listed| listed.size == part.len);
        let Some(etag) = whole.and_then(|listed| listed.etag) else { return Ok(None) };
        let noted = self.journal.sum_of(core, part.index, etag.as_str()).await?;
        Ok(noted.map(|noted| (etag, noted)))
    }

    async fn finish(&self, core: &Core, tags: &[PartTag]) -> Result<ObjectMeta> {
        let meta = self.upload.finish(core, tags).await?;
        self.journal.forget(core).await;
        Ok(meta)
    }
}

impl Upload for KeptUpload {
    fn put_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
        span: Range<usize>,
        sum: Option<Sum>,
    ) -> LocalFuture<'a, (Result<PartTag>, Buf)> {
        core.boxed(self.part(core, part, buf, span, sum))
    }

    fn copy_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        from: &'a ObjectAt,
        etag: &'a Etag,
    ) -> LocalFuture<'a, Result<PartTag>> {
        core.boxed(self.copy(core, part, from, etag))
    }

    fn copied_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
    ) -> LocalFuture<'a, Result<Option<PartTag>>> {
        core.boxed(async move {
            let noted = self.noted(core, part).await?;
            Ok(noted.map(|(etag, _)| PartTag { part, etag: Some(etag), sum: None }))
        })
    }

    fn complete<'a>(
        &'a self,
        core: &'a Core,
        tags: &'a [PartTag],
    ) -> LocalFuture<'a, Result<ObjectMeta>> {
        core.boxed(self.finish(core, tags))
    }

    fn kept_part<'a>(
        &'a self,
        core: &'a Core,
        part: PartRequest,
        buf: Buf,
    ) -> LocalFuture<'a, (Result<Option<KeptPart>>, Buf)> {
        core.boxed(async move { (self.kept(core, part).await, buf) })
    }

    fn kept_in(&self) -> Option<String> {
        Some(format!("upload {} of {}", self.upload.id(), self.upload.uri()))
    }

    fn abort<'a>(&'a self, core: &'a Core) -> LocalFuture<'a, Result<()>> {
        core.boxed(async move {
            self.upload.give_up(core).await?;
            self.journal.remove(core).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_lies_where_the_desktop_puts_it() {
        let dir = |state: Option<&str>, home: Option<&str>| {
            state_dir(&|name| match name {
                "XDG_STATE_HOME" => state.map(str::to_owned),
                "HOME" => home.map(str::to_owned),
                _ => None,
            })
        };
        assert_eq!(dir(Some("/s"), Some("/h")), Some("/s/hydrant".into()));
        assert_eq!(dir(Some("s"), Some("/h")), Some("/h/.local/state/hydrant".into()));
        assert_eq!(dir(Some(""), None), None);
    }
}
