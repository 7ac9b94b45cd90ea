//! The targets, a file each.

mod abi;
mod answer;
mod body;
mod faulty;
mod head;
mod presign;
mod profile;
mod sigv4;
mod uri;
mod xml;

/// Every target by its name, which is also that of its folder of inputs in `corpus`.
pub const ALL: &[(&str, fn(&[u8]))] = &[
    ("head", head::run),
    ("body", body::run),
    ("xml", xml::run),
    ("uri", uri::run),
    ("sigv4", sigv4::run),
    ("profile", profile::run),
    ("answer", answer::run),
    ("presign", presign::run),
    ("abi", abi::run),
];
