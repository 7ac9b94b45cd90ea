//! `cargo xtask dist`: the C library as people install it: a tree under a prefix, a tarball of it, and
//! Debian packages.
//!
//! The shared library is linked from the archive by the C compiler: rustc's own `cdylib` has no
//! SONAME, and its linker ignores a version script in silence.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::shell::{self, cargo};

/// What a program needs beside the archive; `--print native-static-libs` of rustc says so.
pub const NATIVE: &str = "-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const SONAME: &str = "libhydrant.so.0";

#[derive(clap::Args)]
pub struct Args {
    /// Where everything is put; it is emptied first.
    #[arg(long, default_value = "target/dist")]
    out: PathBuf,
    /// An archive that was built before, instead of a release build.
    #[arg(long)]
    archive: Option<PathBuf>,
}

/// A place that the library is laid out for.
struct Layout {
    root: PathBuf,
    /// Below the root, from which headers and libraries are found.
    prefix: &'static str,
    /// Below the prefix.
    libdir: String,
}

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let out = root.join(&args.out);
    if out.exists() {
        remove(&out)?;
    }
    make(&out)?;
    let archive = match &args.archive {
        Some(archive) => archive.clone(),
        None => build(root)?,
    };
    let shared = out.join(format!("libhydrant.so.{VERSION}"));
    link(root, &archive, &shared)?;
    let archive = stripped(&archive, &out)?;

    let name = format!("hydrant-{VERSION}-{}-linux-gnu", std::env::consts::ARCH);
    let tree = Layout { root: out.join(&name), prefix: "", libdir: "lib".into() };
    tree.install_runtime(&shared)?;
    tree.install_development(root, &archive)?;
    shell::run(
        Command::new("tar")
            .current_dir(&out)
            .args(["--owner=0", "--group=0", "-czf"])
            .arg(format!("{name}.tar.gz"))
            .arg(&name),
    )?;
    debian(root, &out, &archive, &shared)?;
    for made in [&shared, &archive] {
        fs::remove_file(made).map_err(|cause| Failure::io(made.display(), cause))?;
    }
    println!("\n{}", out.display());
    Ok(())
}

fn build(root: &Path) -> Result<PathBuf> {
    shell::run(&mut cargo(root, &["build", "--quiet", "--release", "-p", "hydrant-ffi", "--lib"]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/libhydrant.a"))
}

/// Everything but the functions of the header stays inside.
fn link(root: &Path, archive: &Path, shared: &Path) -> Result<()> {
    let map = root.join("ffi/packaging/hydrant.map");
    let mut linker = Command::new("cc");
    linker.args(["-shared", "-o"]).arg(shared);
    linker.arg("-Wl,--whole-archive").arg(archive).arg("-Wl,--no-whole-archive");
    linker.arg(format!("-Wl,--version-script={}", map.display()));
    linker.arg(format!("-Wl,-soname,{SONAME}"));
    linker.args(["-Wl,--gc-sections", "-Wl,-z,defs", "-Wl,-z,relro,-z,now", "-Wl,--strip-debug"]);
    shell::run(linker.args(NATIVE.split(' ')))
}

/// The archive without what only a debugger reads, which is most of it.
fn stripped(archive: &Path, out: &Path) -> Result<PathBuf> {
    let stripped = out.join("libhydrant.a");
    let mut strip = Command::new("strip");
    shell::run(strip.arg("--strip-debug").arg("-o").arg(&stripped).arg(archive))?;
    Ok(stripped)
}

impl Layout {
    fn prefix(&self) -> PathBuf {
        self.root.join(self.prefix)
    }

    fn libdir(&self) -> PathBuf {
        self.prefix().join(&self.libdir)
    }

    /// What a program needs to run.
    fn install_runtime(&self, shared: &Path) -> Result<()> {
        let libdir = self.libdir();
        make(&libdir)?;
        copy(shared, &libdir.join(format!("libhydrant.so.{VERSION}")))?;
        link_to(&format!("libhydrant.so.{VERSION}"), &libdir.join(SONAME))
    }

    /// What a program needs to be built.
    fn install_development(&self, root: &Path, archive: &Path) -> Result<()> {
        let (include, libdir) = (self.prefix().join("include"), self.libdir());
        make(&include)?;
        make(&libdir)?;
        for header in ["hydrant.h", "hydrant.hpp"] {
            copy(&root.join("ffi/include").join(header), &include.join(header))?;
        }
        copy(archive, &libdir.join("libhydrant.a"))?;
        link_to(SONAME, &libdir.join("libhydrant.so"))?;
        let cmake = libdir.join("cmake/hydrant");
        for (folder, name) in [
            (libdir.join("pkgconfig"), "hydrant.pc"),
            (cmake.clone(), "hydrantConfig.cmake"),
            (cmake, "hydrantConfigVersion.cmake"),
        ] {
            make(&folder)?;
            let template = root.join("ffi/packaging").join(format!("{name}.in"));
            let text = fs::read_to_string(&template)
                .map_err(|cause| Failure::io(template.display(), cause))?;
            write(&folder.join(name), &self.filled(&text))?;
        }
        Ok(())
    }

    /// A template with its places filled; paths lead from the file to the prefix, so that the tree can
    /// be moved.
    fn filled(&self, template: &str) -> String {
        let depth = self.libdir.split('/').count();
        let (major_minor, _) = VERSION.rsplit_once('.').expect("three numbers");
        [
            ("@CMAKE_TO_PREFIX@", "../".repeat(depth + 2)),
            ("@TO_PREFIX@", "../".repeat(depth + 1).trim_end_matches('/').to_owned()),
            ("@LIBDIR@", self.libdir.clone()),
            ("@VERSION@", VERSION.to_owned()),
            ("@MAJOR_MINOR@", major_minor.to_owned()),
            ("@SONAME@", SONAME.to_owned()),
            ("@NATIVE@", NATIVE.to_owned()),
        ]
        .iter()
        .fold(template.to_owned(), |text, (place, value)| text.replace(place, value))
    }
}

/// The library as one package and what programs are built with as another, as Debian splits them.
fn debian(root: &Path, out: &Path, archive: &Path, shared: &Path) -> Result<()> {
    let architecture = shell::read(Command::new("dpkg").arg("--print-architecture"))?;
    let libdir = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
    let packages = [
        (
            "libhydrant0",
            "Section: libs\nDepends: libc6 (>= 2.36), libgcc-s1\n",
            "shared library",
            true,
        ),
        (
            "libhydrant-dev",
            concat!(
                "Section: libdevel\nDepends: libhydrant0 (= ",
                env!("CARGO_PKG_VERSION"),
                ")\n"
            ),
            "headers, archive and build files",
            false,
        ),
    ];
    for (package, fields, about, is_runtime) in packages {
        let folder = out.join(package);
        let layout = Layout { root: folder.clone(), prefix: "usr", libdir: libdir.clone() };
        match is_runtime {
            true => layout.install_runtime(shared)?,
            false => layout.install_development(root, archive)?,
        }
        make(&folder.join("DEBIAN"))?;
        let control = format!(
            "Package: {package}\nVersion: {VERSION}\nArchitecture: {}\nMulti-Arch: same\n\
             Maintainer: Hydrant <hydrant@localhost>\n{fields}Description: moves bytes between \
             object storage, disks and memory ({about})\n",
            architecture.trim()
        );
        write(&folder.join("DEBIAN/control"), &control)?;
        if is_runtime {
            // Of which package others depend that link with it, and that it is looked up anew.
            let depends = format!("libhydrant 0 libhydrant0 (>= {VERSION})\n");
            write(&folder.join("DEBIAN/shlibs"), &depends)?;
            write(&folder.join("DEBIAN/triggers"), "activate-noawait ldconfig\n")?;
        }
        let mut pack = Command::new("dpkg-deb");
        pack.current_dir(out).args(["--root-owner-group", "-Zgzip", "--build", package, "."]);
        shell::run(&mut pack)?;
        remove(&folder)?;
    }
    Ok(())
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|cause| Failure::io(folder.display(), cause))
}

fn remove(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).map_err(|cause| Failure::io(folder.display(), cause))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(|cause| Failure::io(from.display(), cause))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|cause| Failure::io(path.display(), cause))
}

fn link_to(target: &str, link: &Path) -> Result<()> {
    symlink(target, link).map_err(|cause| Failure::io(link.display(), cause))
}
