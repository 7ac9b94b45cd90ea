//! The ops about many objects, or about two, and what S3 alone lists: what they are asked for beside, and how it
//! is done.

use std::ptr::NonNull;
use std::sync::Arc;

use hydrant::engine::RegionOwner;
use hydrant::s3::ListObjectsV2;
use hydrant::{DeleteOptions, RangeRegion, RangesOptions, VerifyOptions, verify};

use super::cq::Finish;
use super::job::{Job, while_held};
use super::op::Op;
use super::outcome::{Outcome, Place, Told};
use super::request::{Memory, hyd_request};
use crate::args::{self, ArrayOut};
use crate::callback::{User, progress};
use crate::delete::{self, DeletedFn, EachDeleted};
use crate::error::Failure;
use crate::list::List;
use crate::mem::Mem;
use crate::ranges::{self, EachRead, hyd_object_range};
use crate::s3_list;
use crate::sized::SizedOut;
use crate::verify::{self, Comparing};

/// What these ops are asked for, boxed in a request, as most have none.
pub enum More {
    Verify(Comparing),
    Ranges(Vec<OneRange>, RangesOptions),
    Keys(Vec<String>),
    Prefix(Option<(DeletedFn, User)>),
    Page(Box<ListObjectsV2>),
}

/// A range of an object.
pub struct OneRange {
    key: String,
    offset: u64,
    memory: Memory,
}

/// Reads what these ops name, and where it is told what came of them.
///
/// # Safety
/// What `raw` names is readable during the call, and the memory of ranges and whatever is filled are the
/// library's from here on, if the request is accepted.
pub unsafe fn read(
    op: Op,
    raw: &hyd_request,
    key: &str,
    mem: Option<&Mem>,
) -> Result<(Option<More>, Option<Place>), Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    unsafe {
        Ok(match op {
            Op::Verify => {
                let report = SizedOut::optional(raw.verify_report, "request->verify_report")?;
                let comparing = verify::comparing(raw.verify)?;
                (Some(More::Verify(comparing)), report.map(Place::Compared))
            }
            Op::GetRanges => {
                let (ranges, place) = read_ranges(raw, key, mem)?;
                let options = ranges::ranges_options(raw.ranges_options)?;
                (Some(More::Ranges(ranges, options)), Some(Place::Ranges(place)))
            }
            Op::DeleteKeys => {
                let keys = delete::named(raw.keys, raw.count)?;
                let results = ArrayOut::optional(raw.results, raw.count, "request->results")?;
                (Some(More::Keys(keys)), results.map(Place::Keys))
            }
            Op::DeletePrefix => {
                let report = SizedOut::optional(raw.delete_report, "request->delete_report")?;
                let told = raw.told.map(|function| (function, User(raw.user)));
                (Some(More::Prefix(told)), report.map(Place::Deleted))
            }
            Op::ListPage if !raw.s3_list.is_null() => {
                let token = args::text(raw.aux, raw.aux_len, "request->aux")?;
                (Some(More::Page(Box::new(s3_list::asking_for(key, token, raw.s3_list)?))), None)
            }
            _ => {
                let report = SizedOut::optional(raw.report, "request->report")?;
                (None, report.map(Place::Copied))
            }
        })
    }
}

/// # Safety
/// As for [`read`].
unsafe fn read_ranges(
    raw: &hyd_request,
    key: &str,
    mem: Option<&Mem>,
) -> Result<(Vec<OneRange>, ArrayOut<hyd_object_range>), Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let (given, place) = unsafe {
        let place = ArrayOut::new(raw.ranges, raw.count, "request->ranges")?;
        (args::array(raw.ranges.cast_const(), raw.count, "request->ranges")?, place)
    };
    args::refuse_overlaps(given.iter().map(|one| (one.range.data.addr(), one.range.len)))?;
    let each = given.iter().map(|one| {
        let range = &one.range;
        if range.len > 0 {
            args::check_memory(range.data, range.len, "a range's data")?;
            mem.map_or(Ok(()), |mem| mem.check(range.data.cast(), range.len))?;
        }
        // SAFETY: as above.
        let own = unsafe { args::text(one.key, one.key_len, "a range's key")? };
        let key = if own.is_empty() { key } else { own };
        // Without bytes it may be NULL, which is no start of a region.
        let start = NonNull::new(range.data.cast()).unwrap_or(NonNull::dangling()).as_ptr();
        let memory = Memory { start, len: range.len };
        Ok(OneRange { key: key.to_owned(), offset: range.offset, memory })
    });
    Ok((each.collect::<Result<_, Failure>>()?, place))
}

/// Does what one of these ops asks for.
pub async fn run(job: &mut Job, finish: &Finish) -> Result<Outcome, Failure> {
    match job.take_more() {
        More::Verify(comparing) => compare(job, comparing, finish).await,
        More::Ranges(ranges, options) => get_ranges(job, &ranges, options, finish).await,
        More::Keys(keys) => delete_keys(job, keys).await,
        More::Prefix(told) => delete_prefix(job, told, finish).await,
        More::Page(ask) => list_page(job, *ask).await,
    }
}

async fn compare(job: &Job, comparing: Comparing, finish: &Finish) -> Result<Outcome, Failure> {
    let (one, other) = job.two_objects()?;
    let told = |function| progress(function, while_held(finish));
    let options = VerifyOptions { progress: comparing.progress.map(told), ..comparing.options };
    let same = verify(&one, &other, options).await?;
    let told = Some(Box::new(Told::Compared(same)));
    Ok(Outcome { bytes: same.bytes, object_bytes: Some(same.bytes), told, ..Outcome::default() })
}

async fn get_ranges(
    job: &Job,
    ranges: &[OneRange],
    options: RangesOptions,
    finish: &Finish,
) -> Result<Outcome, Failure> {
    let lent = ranges.iter().map(|one| {
        let (_, into) = RegionOwner::new(job.lend(one.memory, finish));
        RangeRegion { key: &one.key, offset: one.offset, into }
    });
    let read = job.store().calls().get_regions(lent.collect(), options).await?;
    let EachRead { each, first } = EachRead::of(read);
    let bytes = each.iter().map(|(_, read_len)| *read_len as u64).sum();
    let told = Some(Box::new(Told::Ranges(each)));
    Ok(Outcome { bytes, told, failure: first.map(Box::new), ..Outcome::default() })
}

async fn delete_keys(job: &Job, keys: Vec<String>) -> Result<Outcome, Failure> {
    let (task, told) = delete::delete_each(job.store(), keys);
    let EachDeleted { statuses, first } = told.outcomes(&task.await);
    let failure = first.map(Box::new);
    Ok(Outcome { told: Some(Box::new(Told::Keys(statuses))), failure, ..Outcome::default() })
}

async fn delete_prefix(
    job: &Job,
    told: Option<(DeletedFn, User)>,
    finish: &Finish,
) -> Result<Outcome, Failure> {
    let on_deleted = told.map(|listener| delete::on_deleted(listener, while_held(finish)));
    let options = DeleteOptions { on_deleted };
    let report = job.store().calls().delete_prefix(job.key(), options).await?;
    let first = report.failures.first();
    let failure = first.map(|(_, error)| Box::new(error.clone().into()));
    let told = Some(Box::new(Told::Deleted(report)));
    Ok(Outcome { told, failure, ..Outcome::default() })
}

async fn list_page(job: &Job, ask: ListObjectsV2) -> Result<Outcome, Failure> {
    let page = job.store().s3()?.send(ask.clone()).await?;
    let (page, _) = s3_list::page(ask, page);
    let list = List::of_page(Arc::clone(&job.store().engine), page);
    Ok(Outcome { list: Some(Arc::new(list)), ..Outcome::default() })
}
