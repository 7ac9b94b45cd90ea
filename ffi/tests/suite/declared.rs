//! What the header declares: it compiles in strict modes, the library exports just that, and C programs call all of
//! it.

use std::collections::BTreeSet;

use crate::common::{self, Bucket, Folder, Library, Linking, compile, run};
use crate::service::Peer;

#[test]
fn the_headers_compile_alone_and_twice_in_every_standard() {
    let folder = Folder::new();
    // In C++ the initializers must not narrow, and the functions must have C's names.
    let used = "#include <hydrant.h>\n\
                hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;\n\
                hyd_object_meta meta = HYD_OBJECT_META_INIT;\n\
                hyd_error_view view = HYD_ERROR_VIEW_INIT;\n\
                hyd_engine_left left = HYD_ENGINE_LEFT_INIT;\n\
                hyd_caps caps = HYD_CAPS_INIT;\n\
                hyd_stats stats = HYD_STATS_INIT;\n\
                hyd_put_options put = HYD_PUT_OPTIONS_INIT;\n\
                hyd_get_options get = HYD_GET_OPTIONS_INIT;\n\
                hyd_s3_put_options s3_put = HYD_S3_PUT_OPTIONS_INIT;\n\
                hyd_s3_get_options s3_get = HYD_S3_GET_OPTIONS_INIT;\n\
                hyd_ranges_options ranges = HYD_RANGES_OPTIONS_INIT;\n\
                hyd_bucket_options making = HYD_BUCKET_OPTIONS_INIT;\n\
                hyd_bucket_info bucket = HYD_BUCKET_INFO_INIT;\n\
                hyd_request request = HYD_REQUEST_INIT;\n\
                hyd_delete_report deleted = HYD_DELETE_REPORT_INIT;\n\
                hyd_copy_options copying = HYD_COPY_OPTIONS_INIT;\n\
                hyd_copy_report copied = HYD_COPY_REPORT_INIT;\n\
                hyd_verify_options comparing = HYD_VERIFY_OPTIONS_INIT;\n\
                hyd_presign_options signing = HYD_PRESIGN_OPTIONS_INIT;\n\
                hyd_presigned_view signed_one = HYD_PRESIGNED_VIEW_INIT;\n\
                hyd_delete_options deleting = HYD_DELETE_OPTIONS_INIT;\n\
                hyd_s3_object_view told = HYD_S3_OBJECT_VIEW_INIT;\n\
                hyd_part_source copied_from = HYD_PART_SOURCE_INIT;\n\
                hyd_s3_about whose = HYD_S3_ABOUT_INIT;\n\
                hyd_s3_list_options listing = HYD_S3_LIST_OPTIONS_INIT;\n\
                hyd_complete_options made = HYD_COMPLETE_OPTIONS_INIT;\n\
                hyd_verify_report same = HYD_VERIFY_REPORT_INIT;\n";
    let twice = |name: &str| format!("#include <{name}>\n#include <{name}>\n");
    for (index, text) in [twice("hydrant.h"), used.to_owned()].iter().enumerate() {
        let c = folder.write(&format!("header{index}.c"), text);
        let cxx = folder.write(&format!("header{index}.cpp"), text);
        for (compiler, source, standards) in [
            ("gcc", &c, &["c99", "c11", "c17"][..]),
            ("clang", &c, &["c99", "c11", "c17"]),
            ("g++", &cxx, &["c++11", "c++14", "c++17", "c++20", "c++2b"]),
            ("clang++", &cxx, &["c++11", "c++14", "c++17", "c++20", "c++2b"]),
        ] {
            for standard in standards {
                let standard = format!("-std={standard}");
                compile(compiler, &standard, &[source], &folder.path("o"), &["-c"]);
            }
        }
    }
}

#[test]
fn every_function_is_called_by_a_c_program() {
    let mut programs = String::new();
    for file in std::fs::read_dir(common::crate_path("tests/c")).expect("the C tests") {
        programs += &std::fs::read_to_string(file.expect("a file").path()).expect("a C test");
    }
    let declared = common::functions_of_the_header();
    let uncalled: Vec<&String> =
        declared.iter().filter(|name| !programs.contains(&format!("{name}("))).collect();
    assert!(declared.len() > 50, "{declared:?}");
    assert!(uncalled.is_empty(), "{uncalled:?}");
}

/// A function that is new has to be handed what it refuses, too.
#[test]
fn every_function_refuses_what_is_no_handle_and_no_struct() {
    let sources =
        ["refusals.c", "refusals_s3.c"].map(|name| common::crate_path(&format!("tests/c/{name}")));
    let text = |path| std::fs::read_to_string(path).expect("the program");
    let text: String =
        sources.iter().chain([&common::crate_path("tests/c/refusals.h")]).map(text).collect();
    let declared = common::functions_of_the_header();
    let left_out: Vec<&String> =
        declared.iter().filter(|name| !text.contains(&format!("{name}("))).collect();
    assert!(left_out.is_empty(), "{left_out:?}");
    let library = Library::get();
    let (folder, bucket, peer) = (Folder::new(), Bucket::new(), Peer::start());
    for source in &sources {
        let program = library.link(&folder, source, Linking::Static);
        let output = run(library.command(&program, &bucket).arg(&peer.uri));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "all of it is refused\n");
    }
}

#[test]
fn the_library_exports_what_the_header_declares_and_nothing_else() {
    let library = Library::get();
    let declared = common::functions_of_the_header();
    assert!(declared.contains("hyd_get_range"), "{declared:?}");

    let shared = common::symbols(&["-D", "--defined-only"], &library.shared);
    assert_eq!(shared, declared, "exported by {}", library.shared.display());

    // An archive has all its inner symbols too; what counts is who could clash with the host.
    let archived = common::symbols(&["--defined-only", "--extern-only"], &library.archive);
    let ours: BTreeSet<String> =
        archived.into_iter().filter(|name| name.starts_with("hyd_")).collect();
    assert_eq!(ours, declared, "defined by {}", library.archive.display());
}

#[test]
fn the_first_program_of_the_guide_is_one() {
    let guide =
        std::fs::read_to_string(common::crate_path("../docs/guide-c.md")).expect("the guide");
    let (_, rest) = guide.split_once("```c\n").expect("a program");
    let (program, _) = rest.split_once("```").expect("its end");
    let folder = Folder::new();
    let source = folder.write("guide.c", program);
    Library::get().link(&folder, &source, Linking::Static);
}
