//! `hyd_attributes`: what is said of an object's content, in full.

use std::ffi::{CString, c_char};
use std::ptr::null;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use hydrant::{Attributes, ObjectMeta};

use crate::error::{ErrorOut, Failure, c_text, secret_c_text, wipe};
use crate::guard;
use crate::handle::{self, kind};
use crate::object_options::{hyd_pair, hyd_put_options};
use crate::sized::{self, SizedOut};
use crate::status::hyd_status;

/// What is said of an object's content: its type, how it is to be cached, the user's own names and
/// values.
pub struct hyd_attributes(());

/// What an attributes handle holds.
pub struct Said {
    content_type: Option<CString>,
    cache_control: Option<CString>,
    content_disposition: Option<CString>,
    content_encoding: Option<CString>,
    content_language: Option<CString>,
    expires_unix_s: i64,
    metadata: Pairs,
}

/// Names and values as C sees them.
pub struct Pairs {
    /// Of the texts below.
    views: Vec<hyd_pair>,
    texts: Vec<(CString, CString)>,
}

// SAFETY: OWN-3. The pointers are to texts that this owns and nobody changes.
unsafe impl Send for Pairs {}
// SAFETY: As above.
unsafe impl Sync for Pairs {}

impl Pairs {
    /// Copies of them, with their NULs.
    pub fn of(pairs: &[(String, String)]) -> Pairs {
        let with_nuls =
            |(name, value): &(String, String)| (c_text(name.clone()), c_text(value.clone()));
        Pairs::with(pairs.iter().map(with_nuls).collect())
    }

    /// Copies of pairs whose values are secrets: whoever has them wipes them.
    pub fn of_secrets(pairs: &[(String, String)]) -> Pairs {
        let with_nuls =
            |(name, value): &(String, String)| (c_text(name.clone()), secret_c_text(value));
        Pairs::with(pairs.iter().map(with_nuls).collect())
    }

    /// Wipes the values; none are left.
    pub fn wipe(&mut self) {
        self.views.clear();
        self.texts.iter_mut().for_each(|(_, value)| wipe(value));
        self.texts.clear();
    }

    fn with(texts: Vec<(CString, CString)>) -> Pairs {
        let view = |(name, value): &(CString, CString)| hyd_pair {
            name: name.as_ptr(),
            value: value.as_ptr(),
        };
        // A text stays where it is when its owner moves.
        Pairs { views: texts.iter().map(view).collect(), texts }
    }

    /// Where they lie end to end, NULL where there are none, and how many.
    pub fn view(&self) -> (*const hyd_pair, usize) {
        let first = if self.views.is_empty() { null() } else { self.views.as_ptr() };
        (first, self.views.len())
    }
}

kind!(Said, hyd_attributes, 10, "set of attributes");

impl Said {
    /// What a store said.
    pub fn of(meta: &ObjectMeta) -> Said {
        let nothing = Attributes::default();
        let told = meta.attributes.as_deref().unwrap_or(&nothing);
        let text = |from: &Option<String>| from.clone().map(c_text);
        let expires = told.expires.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Said {
            content_type: text(&meta.content_type),
            cache_control: text(&told.cache_control),
            content_disposition: text(&told.content_disposition),
            content_encoding: text(&told.content_encoding),
            content_language: text(&told.content_language),
            expires_unix_s: expires.map_or(0, |after| after.as_secs() as i64),
            metadata: Pairs::of(&told.metadata),
        }
    }

    fn view(&self) -> hyd_put_options {
        let text =
            |from: &Option<CString>| from.as_ref().map_or(null::<c_char>(), |it| it.as_ptr());
        let (metadata, metadata_count) = self.metadata.view();
        hyd_put_options {
            struct_size: sized::size_of::<hyd_put_options>(),
            flags: 0,
            content_type: text(&self.content_type),
            cache_control: text(&self.cache_control),
            content_disposition: text(&self.content_disposition),
            content_encoding: text(&self.content_encoding),
            content_language: text(&self.content_language),
            expires_unix_s: self.expires_unix_s,
            metadata,
            metadata_count,
            if_match: null(),
            size_bytes: 0,
            part_size_bytes: 0,
            parts_in_flight: 0,
            reserved: 0,
            s3: null(),
        }
    }
}

/// Fills `view` as hyd_put() would have to be told to write another object like it: `content_type`,
/// `metadata` and the others that lie between them; the rest is 0. Texts that nothing was said of are
/// NULL; the others end with a NUL, and are valid until the handle is freed.
///
/// Errors: HYD_E_INVALID for NULL or a bad struct_size; HYD_E_HANDLE; HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_attributes_view(
    attributes: *const hyd_attributes,
    view: *mut hyd_put_options,
) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let said = handle::get::<Said>(attributes)?;
        // SAFETY: OWN-3. The caller lends `*view` for the time of the call.
        unsafe { SizedOut::new(view, "view")? }.write(said.view());
        Ok(())
    })
}

/// Frees attributes; NULL is fine. The texts of their views are gone.
///
/// Errors: HYD_E_HANDLE when they were freed before; HYD_E_FORKED.
///
/// Threads: any; not while another thread reads a view of them.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_attributes_free(attributes: *mut hyd_attributes) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Said>(attributes).map(drop))
}

/// A handle for the caller, who frees it.
pub fn give(meta: &ObjectMeta) -> Result<*mut hyd_attributes, Failure> {
    handle::give(Arc::new(Said::of(meta)))
}
