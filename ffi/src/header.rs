//! Holds `include/hydrant.h` and this crate in step: a C compiler is asked what the header says.

use std::any::{TypeId, type_name};
use std::collections::BTreeMap;
use std::ffi::c_char;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use crate::engine::{self, EngineConfig};
use crate::error::{self, ErrorView};
use crate::object::{self, ObjectMetaView};
use crate::{status, version};

/// A struct by its name in the header, and its fields in their order.
macro_rules! layout {
    ($c_name:literal, $rust:ty, [$($field:ident),+ $(,)?]) => {
        Layout {
            name: $c_name,
            bytes: size_of::<$rust>(),
            fields: vec![$({
                let (c_type, bytes) = type_and_bytes(|all: &$rust| &all.$field);
                Field { name: stringify!($field), offset: offset_of!($rust, $field), bytes, c_type }
            }),+],
        }
    };
}

struct Layout {
    name: &'static str,
    bytes: usize,
    fields: Vec<Field>,
}

struct Field {
    name: &'static str,
    offset: usize,
    bytes: usize,
    c_type: &'static str,
}

fn layouts() -> Vec<Layout> {
    vec![
        layout!(
            "hyd_engine_config",
            EngineConfig,
            [struct_size, flags, cores, reserved, pool_bytes]
        ),
        layout!(
            "hyd_error_view",
            ErrorView,
            [
                struct_size,
                status,
                os_errno,
                http_status,
                attempts,
                flags,
                message,
                message_len,
                s3_code,
                s3_code_len,
                request_id,
                request_id_len,
            ]
        ),
        layout!(
            "hyd_object_meta",
            ObjectMetaView,
            [struct_size, reserved, size_bytes, modified_unix_ns, etag]
        ),
    ]
}

/// Every constant of the header.
fn constants() -> BTreeMap<String, i64> {
    let mut all: BTreeMap<String, i64> = [
        ("HYD_VERSION", i64::from(version::VERSION)),
        ("HYD_TIME_UNKNOWN", object::TIME_UNKNOWN),
        ("HYD_ERROR_RETRIABLE", i64::from(error::RETRIABLE)),
        ("HYD_ERROR_FATAL", i64::from(error::FATAL)),
        ("HYD_ENGINE_PIN_CORES", i64::from(engine::PIN_CORES)),
        ("HYD_ENGINE_ANONYMOUS", i64::from(engine::ANONYMOUS)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (value, text) in status::TEXTS {
        let text = text.to_str().expect("texts are ASCII");
        let (short, _) = text.split_once(':').expect("a short name and a colon");
        let prefix = if *value == status::OK { "HYD_" } else { "HYD_E_" };
        all.insert(format!("{prefix}{short}"), i64::from(*value));
    }
    all
}

#[test]
fn the_header_has_our_values_and_layouts() {
    let mut program = String::from(
        "#include <hydrant.h>\n#include <stdio.h>\n#define SAY(what, value) \
         printf(\"%s %lld\\n\", what, (long long)(value))\nint main(void) {\n",
    );
    let mut expected = String::new();
    let mut say = |what: String, c_value: String, value: i64| {
        program += &format!("SAY(\"{what}\", {c_value});\n");
        expected += &format!("{what} {value}\n");
    };
    for (name, value) in constants() {
        say(name.clone(), name, value);
    }
    for layout in layouts() {
        let name = layout.name;
        say(format!("sizeof({name})"), format!("sizeof({name})"), layout.bytes as i64);
        for field in layout.fields {
            let what = format!("offsetof({name},{})", field.name);
            say(what.clone(), what, field.offset as i64);
        }
    }
    program += "return 0; }\n";
    assert_eq!(run_c(&program), expected);
}

/// What the header has and this crate does not would go unnoticed above.
#[test]
fn the_header_has_nothing_that_we_do_not_know() {
    let header = header_without_comments();
    let words = || header.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let known = constants();
    let foreign: Vec<&str> = words()
        .filter(|word| word.starts_with("HYD_") && !word.ends_with("_INIT"))
        .filter(|word| !known.contains_key(*word))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");

    // Opaque ones have no brace before their semicolon.
    let declared = header.split("typedef struct ").skip(1);
    let mut theirs: Vec<&str> = declared
        .filter_map(|rest| rest.split_once(" {"))
        .map(|(name, _)| name)
        .filter(|name| !name.contains(';'))
        .collect();
    let mut ours: Vec<&str> = layouts().iter().map(|layout| layout.name).collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    assert_eq!(theirs, ours);
}

#[test]
fn fields_fill_the_structs_without_padding() {
    for Layout { name, bytes, fields } in layouts() {
        let mut end = 0;
        for field in fields {
            assert_eq!(field.offset, end, "{name}.{}", field.name);
            end += field.bytes;
        }
        assert_eq!(bytes, end, "{name}");
    }
}

#[test]
fn fields_have_the_types_of_the_header() {
    let header = header_without_comments();
    for Layout { name, fields, .. } in layouts() {
        let (_, rest) =
            header.split_once(&format!("typedef struct {name} {{")).expect("the struct");
        let (body, _) = rest.split_once('}').expect("its end");
        let theirs = body.split(';').map(|line| line.replace("hyd_status", "int32_t"));
        let theirs: Vec<String> =
            theirs.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
        let ours: Vec<String> = fields.iter().map(declaration).collect();
        assert_eq!(theirs, ours, "{name}");
    }
}

/// A field as C declares it.
fn declaration(field: &Field) -> String {
    let Field { name, bytes, c_type, .. } = field;
    match *c_type {
        "char[]" => format!("char {name}[{bytes}]"),
        pointer if pointer.ends_with('*') => format!("{pointer}{name}"),
        other => format!("{other} {name}"),
    }
}

/// C's name for the type of a field, and its size.
fn type_and_bytes<T, F: 'static>(_field: fn(&T) -> &F) -> (&'static str, usize) {
    let names = [
        (TypeId::of::<u32>(), "uint32_t"),
        (TypeId::of::<i32>(), "int32_t"),
        (TypeId::of::<u64>(), "uint64_t"),
        (TypeId::of::<i64>(), "int64_t"),
        (TypeId::of::<usize>(), "size_t"),
        (TypeId::of::<*const c_char>(), "const char *"),
        (TypeId::of::<[u8; 128]>(), "char[]"),
    ];
    let name = names.iter().find(|(id, _)| *id == TypeId::of::<F>());
    let name = name.unwrap_or_else(|| panic!("{} has no fixed width", type_name::<F>()));
    (name.1, size_of::<F>())
}

fn header_without_comments() -> String {
    let header = include_str!("../include/hydrant.h");
    let pieces = header.split("/*").enumerate();
    pieces
        .map(|(index, piece)| match index {
            0 => piece,
            _ => piece.split_once("*/").expect("comments end").1,
        })
        .collect()
}

/// Compiles and runs a program; gives what it prints.
fn run_c(source: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder for the program");
    let (file, program) = (folder.path().join("say.c"), folder.path().join("say"));
    std::fs::write(&file, source).expect("write the program");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I"])
        .args([&include, &file])
        .arg("-o")
        .arg(&program)
        .output()
        .expect("run cc");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let said = Command::new(&program).output().expect("run the program");
    assert!(said.status.success(), "{:?}", said.status);
    String::from_utf8(said.stdout).expect("it prints ASCII")
}
