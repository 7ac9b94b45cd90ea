//! What a request can ask for.

/// What a request asks for.
pub type hyd_op = u32;

/// Bytes of an object from `offset`: `data_len` of them, fewer only at its end. Into `data`, or where
/// that is NULL into a buffer of the pool, which the event carries.
pub const HYD_OP_GET_RANGE: hyd_op = 1;
/// A whole object into a buffer of the pool, which the event carries.
pub const HYD_OP_GET: hyd_op = 2;
/// Writes an object from `data`, or where that is NULL from the first `data_len` bytes of `buf`;
/// `put` may say how. The bytes are sent from where they are.
pub const HYD_OP_PUT: hyd_op = 3;
/// What is known of an object, into `meta`.
pub const HYD_OP_HEAD: hyd_op = 4;
/// Deletes an object.
pub const HYD_OP_DELETE: hyd_op = 5;
/// Copies an object to the key `aux` of `target`, or where that is NULL of the same store.
pub const HYD_OP_COPY: hyd_op = 6;
/// One page of the keys that begin with `key`; `aux` is the token of the page before, or empty. The
/// event carries a list that ends with the page. With `s3_list`, one of S3, as hyd_s3_list_open() lists it.
pub const HYD_OP_LIST_PAGE: hyd_op = 7;
/// An object into the file `aux`, which is there whole or not at all.
pub const HYD_OP_GET_TO_FILE: hyd_op = 8;
/// Writes an object from the file `aux`.
pub const HYD_OP_PUT_FROM_FILE: hyd_op = 9;
/// Appends bytes to the stream `writer`: `data`, or where that is NULL the first `data_len` bytes of
/// `buf`. Of `data`, whole parts are sent from where they are, and the request completes when they have
/// been. Of `buf`, it completes when they stand in line: the content stays as it is until the caller has
/// released the buffer. One request of a stream at a time: HYD_E_BUSY. Cancelled, it ends the stream,
/// which the caller aborts. The store that hyd_submit() is given is any of the engine.
pub const HYD_OP_WRITE: hyd_op = 10;
/// Completes the object of the stream `writer`, whose handle ends when the request is accepted.
/// Cancelled, what was uploaded is thrown away, or the object is there, whole.
pub const HYD_OP_FINISH: hyd_op = 11;

/// Compares an object with the object `aux` of `target`, or where that is NULL of the same store, as
/// hyd_verify() does.
pub const HYD_OP_VERIFY: hyd_op = 12;
/// The `count` ranges at `ranges`, each into memory of its own, as hyd_get_object_ranges() does. A range
/// whose key has the length 0 is one of the object `key`. Cancelled, each has the status of the request.
pub const HYD_OP_GET_RANGES: hyd_op = 13;
/// Deletes the `count` objects at `keys`, as hyd_delete() does. It names no `key`.
pub const HYD_OP_DELETE_KEYS: hyd_op = 14;
/// Deletes every object whose key begins with `key`, as hyd_delete_prefix() does. Cancelled, it stops
/// somewhere between.
pub const HYD_OP_DELETE_PREFIX: hyd_op = 15;

/// What is to be done, by whom it is to be named.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    GetRange = HYD_OP_GET_RANGE,
    Get = HYD_OP_GET,
    Put = HYD_OP_PUT,
    Head = HYD_OP_HEAD,
    Delete = HYD_OP_DELETE,
    Copy = HYD_OP_COPY,
    ListPage = HYD_OP_LIST_PAGE,
    GetToFile = HYD_OP_GET_TO_FILE,
    PutFromFile = HYD_OP_PUT_FROM_FILE,
    Write = HYD_OP_WRITE,
    Finish = HYD_OP_FINISH,
    Verify = HYD_OP_VERIFY,
    GetRanges = HYD_OP_GET_RANGES,
    DeleteKeys = HYD_OP_DELETE_KEYS,
    DeletePrefix = HYD_OP_DELETE_PREFIX,
}

impl Op {
    /// As a request has it.
    pub fn of(op: u32) -> Option<Op> {
        Some(match op {
            HYD_OP_GET_RANGE => Op::GetRange,
            HYD_OP_GET => Op::Get,
            HYD_OP_PUT => Op::Put,
            HYD_OP_HEAD => Op::Head,
            HYD_OP_DELETE => Op::Delete,
            HYD_OP_COPY => Op::Copy,
            HYD_OP_LIST_PAGE => Op::ListPage,
            HYD_OP_GET_TO_FILE => Op::GetToFile,
            HYD_OP_PUT_FROM_FILE => Op::PutFromFile,
            HYD_OP_WRITE => Op::Write,
            HYD_OP_FINISH => Op::Finish,
            HYD_OP_VERIFY => Op::Verify,
            HYD_OP_GET_RANGES => Op::GetRanges,
            HYD_OP_DELETE_KEYS => Op::DeleteKeys,
            HYD_OP_DELETE_PREFIX => Op::DeletePrefix,
            _ => return None,
        })
    }

    /// As the event has it.
    pub fn code(self) -> u32 {
        self as u32
    }

    /// The fields that an op names, beside `key`: any other one that is set is a mistake.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Op::GetRange => &["offset", "data", "mem", "meta", "get"],
            Op::Get => &["meta", "get"],
            Op::Put => &["data", "buf", "mem", "meta", "put"],
            Op::Head => &["meta", "get"],
            Op::Delete => &[],
            Op::Copy => &["aux", "target", "meta", "copy"],
            Op::ListPage => &["aux", "list", "s3_list"],
            Op::GetToFile | Op::PutFromFile => &["aux", "meta", "copy"],
            Op::Write => &["data", "buf", "mem", "writer"],
            Op::Finish => &["meta", "writer"],
            Op::Verify => &["aux", "target", "verify"],
            Op::GetRanges => &["mem", "ranges", "count"],
            Op::DeleteKeys => &["keys", "count"],
            Op::DeletePrefix => &["told"],
        }
    }
}
