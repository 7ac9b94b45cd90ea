//! The library as it is installed: laid out by `cargo xtask dist` into an empty prefix, then built
//! against by the three ways that people use.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{self, Folder, Library, run};

const PROGRAM: &str = "#include <hydrant.h>\n#include <stdio.h>\n\
    int main(void) {\n\
    hyd_engine_config config = HYD_ENGINE_CONFIG_INIT;\n\
    hyd_engine *engine = NULL;\n\
    config.cores = 1;\n\
    config.pool_bytes = 8 * 1024 * 1024;\n\
    if (hyd_engine_create(&config, &engine, NULL) != HYD_OK) { return 1; }\n\
    printf(\"%s\\n\", hyd_version_string());\n\
    return hyd_engine_destroy(engine) == HYD_OK ? 0 : 1;\n}\n";

const CXX_PROGRAM: &str = "#include <hydrant.hpp>\n#include <cstdio>\n\
    int main() {\n\
    auto config = hydrant::engine::default_config();\n\
    config.cores = 1;\n\
    auto engine = hydrant::engine::create(config);\n\
    if (!engine) { return 1; }\n\
    std::printf(\"%s\\n\", hyd_version_string());\n}\n";

#[test]
fn an_installed_library_is_built_against_and_runs() {
    let folder = Folder::new();
    let prefix = dist(&folder);
    exports_the_header_alone(&prefix);
    let version = concat!("hydrant ", env!("CARGO_PKG_VERSION"), "\n");
    let source = folder.write("program.c", PROGRAM);
    let cxx_source = folder.write("program.cpp", CXX_PROGRAM);
    let programs = [
        by_pkg_config(&folder, &prefix, &source, &[]),
        by_pkg_config(&folder, &prefix, &source, &["--static"]),
        by_cmake(&folder, &prefix, "hydrant::hydrant", &source, "C"),
        by_cmake(&folder, &prefix, "hydrant::static", &source, "C"),
        by_cmake(&folder, &prefix, "hydrant::cpp", &cxx_source, "CXX"),
        by_meson(&folder, &prefix, &source),
    ];
    for program in programs {
        let mut command = Command::new(&program);
        let output = run(command.env("LD_LIBRARY_PATH", prefix.join("lib")));
        assert_eq!(String::from_utf8_lossy(&output.stdout), version, "{}", program.display());
    }
}

/// Lays the library out and gives the prefix; the packages are looked into as well.
fn dist(folder: &Folder) -> PathBuf {
    let out = folder.path("dist");
    let mut xtask = Command::new(env!("CARGO"));
    xtask.current_dir(common::crate_path("..")).args(["run", "--quiet", "-p", "xtask", "--"]);
    xtask.args(["dist", "--archive"]).arg(&Library::get().archive).arg("--out").arg(&out);
    run(&mut xtask);
    for (package, file) in
        [("libhydrant0", "/libhydrant.so.0 ->"), ("libhydrant-dev", "/hydrantConfig.cmake")]
    {
        let built = std::fs::read_dir(&out).expect("the folder").filter_map(Result::ok);
        let deb = built
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().contains(&format!("{package}_")))
            .unwrap_or_else(|| panic!("no package {package}"));
        let listed = run(Command::new("dpkg-deb").arg("--contents").arg(&deb));
        assert!(String::from_utf8_lossy(&listed.stdout).contains(file), "{package} has no {file}");
        if package == "libhydrant0" {
            // What packages that link with it are made to depend on.
            let told = run(Command::new("dpkg-deb").arg("--info").arg(&deb).arg("shlibs")).stdout;
            let version = env!("CARGO_PKG_VERSION");
            let depends = format!("libhydrant 0 libhydrant0 (>= {version})\n");
            assert_eq!(String::from_utf8_lossy(&told), depends);
        }
    }
    // The tree as somebody else unpacks it, somewhere else.
    let tarball = std::fs::read_dir(&out).expect("the folder").filter_map(Result::ok);
    let tarball = tarball
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with(".tar.gz"))
        .expect("a tarball");
    let prefix = folder.path("prefix");
    std::fs::create_dir(&prefix).expect("the prefix");
    let mut tar = Command::new("tar");
    tar.args(["--strip-components=1", "-xzf"]).arg(tarball).arg("-C").arg(&prefix);
    run(&mut tar);
    std::fs::remove_dir_all(&out).expect("the tree it was made of goes");
    prefix
}

/// Each function has the node of the version that it came with; nothing else can clash with a host.
fn exports_the_header_alone(prefix: &Path) {
    let shared = prefix.join("lib/libhydrant.so.0");
    let table = run(Command::new("objdump").arg("-T").arg(&shared));
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    let defined = table.lines().filter(|line| line.contains(" g ") && line.contains(".text"));
    let mut names = std::collections::BTreeSet::new();
    for line in defined {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, node) = (words[words.len() - 1], words[words.len() - 2]);
        assert_eq!(node, "HYDRANT_0.1", "{line}");
        names.insert(name.to_owned());
    }
    assert_eq!(names, common::functions_of_the_header());
    let all = common::symbols(&["-D", "--defined-only"], &shared);
    let plain = all.iter().map(|name| name.split('@').next().unwrap_or(name).to_owned());
    let foreign: Vec<String> =
        plain.filter(|name| !names.contains(name) && name != "HYDRANT_0.1").collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    let dynamic = run(Command::new("objdump").arg("-p").arg(&shared));
    let dynamic = String::from_utf8_lossy(&dynamic.stdout).into_owned();
    let soname = dynamic.lines().find(|line| line.contains("SONAME")).expect("a SONAME");
    assert!(soname.ends_with(" libhydrant.so.0"), "{soname}");
}

fn by_pkg_config(folder: &Folder, prefix: &Path, source: &Path, flags: &[&str]) -> PathBuf {
    let mut asked = Command::new("pkg-config");
    asked.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    let said = run(asked.args(["--cflags", "--libs"]).args(flags).arg("hydrant")).stdout;
    let said = String::from_utf8(said).expect("flags are text");
    let mut flags_of_cc: Vec<&str> = said.split_whitespace().collect();
    if !flags.is_empty() {
        // Both libraries lie there, and the linker prefers the shared one.
        let at = flags_of_cc.iter().position(|flag| *flag == "-lhydrant").expect("-lhydrant");
        flags_of_cc[at] = "-l:libhydrant.a";
    }
    let program = folder.path(&format!("pkg-config{}", flags.len()));
    run(Command::new("cc").arg(source).args(flags_of_cc).arg("-o").arg(&program));
    program
}

fn by_cmake(
    folder: &Folder,
    prefix: &Path,
    target: &str,
    source: &Path,
    language: &str,
) -> PathBuf {
    let project = folder.path(&format!("cmake-{}", target.replace(':', "-")));
    std::fs::create_dir(&project).expect("the project");
    let text = format!(
        "cmake_minimum_required(VERSION 3.16)\nproject(user {language})\n\
         find_package(hydrant {} REQUIRED)\nadd_executable(user {})\n\
         target_link_libraries(user PRIVATE {target})\n",
        env!("CARGO_PKG_VERSION"),
        source.display()
    );
    std::fs::write(project.join("CMakeLists.txt"), text).expect("write the project");
    let mut configure = Command::new("cmake");
    configure.current_dir(&project).args(["-S", ".", "-B", "build"]);
    run(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())));
    run(Command::new("cmake").current_dir(&project).args(["--build", "build"]));
    project.join("build/user")
}

fn by_meson(folder: &Folder, prefix: &Path, source: &Path) -> PathBuf {
    let project = folder.path("meson");
    std::fs::create_dir(&project).expect("the project");
    std::fs::copy(source, project.join("program.c")).expect("copy the program");
    let text = "project('user', 'c')\n\
                executable('user', 'program.c', dependencies: dependency('hydrant'))\n";
    std::fs::write(project.join("meson.build"), text).expect("write the project");
    let mut setup = Command::new("meson");
    setup.current_dir(&project).env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    run(setup.args(["setup", "build"]));
    run(Command::new("meson").current_dir(&project).args(["compile", "-C", "build"]));
    project.join("build/user")
}
