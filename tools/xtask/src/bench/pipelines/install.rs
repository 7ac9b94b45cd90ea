//! Who is there. What does not build or install is told with its reason, and the others are
//! measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use super::super::programs;
use super::peers::{Face, Peer};
use crate::debian::{self, Needed};
use crate::failure::{Failure, Result};
use crate::shell::{self, cargo};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    ObjectStore,
    Opendal,
    AwsSdkS3,
    Mountpoint,
    Awscrt,
    Obstore,
    S3dlio,
    S5cmd,
    Rclone,
    AwsCli,
    Curl,
}

/// Where the peers live: their workspace, and what is built of it.
pub struct Home {
    workspace: PathBuf,
    built: PathBuf,
}

impl Home {
    /// With what every client is measured by.
    ///
    /// # Errors
    /// When a package of Debian is missing, or the yardstick does not build.
    pub fn set_up(root: &Path) -> Result<(Home, programs::Built)> {
        debian::need(debian::FOR_BENCHES)?;
        let yardstick = programs::build(root, "hydrant-floor")?;
        let workspace = root.join("benches/pipelines");
        Ok((Home { workspace, built: yardstick.folder().join("pipelines") }, yardstick))
    }

    /// Ours, without which there is nothing to measure.
    ///
    /// # Errors
    /// When it does not build.
    pub fn hydrant(&self) -> Result<Peer> {
        let program = self.rust("pipelines-hydrant")?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Peer { name: "hydrant", version, face: Face::Job(vec![program]) })
    }

    /// A peer, installed where it was not.
    ///
    /// # Errors
    /// Why it is absent.
    pub fn peer(&self, name: Name) -> Result<Peer> {
        match name {
            Name::ObjectStore => self.of_rust("object_store", "pipelines-object-store"),
            Name::Opendal => self.of_rust("opendal", "pipelines-opendal"),
            Name::AwsSdkS3 => self.of_rust("aws-sdk-s3", "pipelines-aws-sdk-s3"),
            Name::Mountpoint => {
                debian::need(debian::FOR_COMMON_RUNTIME)?;
                self.of_rust("mountpoint-s3-client", "pipelines-mountpoint")
            }
            Name::Awscrt => self.python("awscrt", "awscrt", "awscrt"),
            Name::Obstore => self.python("obstore", "obstore", "obstore"),
            Name::S3dlio => self.python("s3dlio", "s3dlio", "s3dlio"),
            Name::S5cmd => {
                let program = self.environment()?.join("bin/s5cmd");
                let version = first_line(Command::new(&program).arg("version"))?;
                Ok(Peer { name: "s5cmd", version, face: Face::S5cmd(program) })
            }
            Name::AwsCli => {
                let program = self.environment()?.join("bin/aws");
                let version = first_line(Command::new(&program).arg("--version"))?;
                let version = version.split(' ').next().unwrap_or_default();
                let version = version.trim_start_matches("aws-cli/").to_owned();
                Ok(Peer { name: "aws-cli", version, face: Face::AwsCli(program) })
            }
            Name::Rclone => {
                debian::need(&[Needed { program: "rclone", package: "rclone" }])?;
                let version = first_line(Command::new("rclone").arg("version"))?;
                let version = version.trim_start_matches("rclone v").to_owned();
                Ok(Peer { name: "rclone", version, face: Face::Rclone })
            }
            Name::Curl => {
                let version = first_line(Command::new("curl").arg("--version"))?;
                let version = version.split(' ').nth(1).unwrap_or_default().to_owned();
                Ok(Peer { name: "curl", version, face: Face::Curl })
            }
        }
    }

    /// Builds one package of the workspace, and only what it needs.
    fn rust(&self, package: &str) -> Result<String> {
        let words = ["build", "--quiet", "--release", "--locked", "-p", package];
        let mut command = cargo(&self.workspace, &words);
        shell::run(command.env("CARGO_TARGET_DIR", &self.built))?;
        Ok(self.built.join("release").join(package).display().to_string())
    }

    /// A crate of the workspace's lock file, by the program that uses it.
    fn of_rust(&self, name: &'static str, program: &str) -> Result<Peer> {
        let face = Face::Job(vec![self.rust(program)?]);
        Ok(Peer { name, version: self.locked(name)?, face })
    }

    /// The version of a package in the lock file.
    fn locked(&self, package: &str) -> Result<String> {
        let path = self.workspace.join("Cargo.lock");
        let lock =
            std::fs::read_to_string(&path).map_err(|cause| Failure::io(path.display(), cause))?;
        version_of(&lock, package)
            .ok_or_else(|| Failure::new(format!("no {package} in {}", path.display())))
    }

    /// The packages of Python, in an environment of their own beside what is built.
    fn environment(&self) -> Result<PathBuf> {
        let folder = self.built.join("python");
        let wanted = self.workspace.join("python/requirements.txt");
        if !folder.join("bin/pip").is_file() {
            shell::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        }
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        shell::run(pip.arg(wanted))?;
        Ok(folder)
    }

    fn python(&self, name: &'static str, client: &str, package: &str) -> Result<Peer> {
        let interpreter = self.environment()?.join("bin/python");
        let version = format!("import importlib.metadata as m; print(m.version('{package}'))");
        let version = first_line(Command::new(&interpreter).args(["-c", &version]))?;
        let script = self.workspace.join("python/peer.py").display().to_string();
        let face = vec![interpreter.display().to_string(), script, client.to_owned()];
        Ok(Peer { name, version, face: Face::Job(face) })
    }
}

fn first_line(command: &mut Command) -> Result<String> {
    Ok(shell::read(command)?.lines().next().unwrap_or_default().trim().to_owned())
}

fn version_of(lock: &str, package: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let lock = "[[package]]\nname = \"opendal\"\nversion = \"0.59.5\"\nsource = \"x\"\n";
        assert_eq!(version_of(lock, "opendal").as_deref(), Some("0.59.5"));
        assert_eq!(version_of(lock, "object_store"), None);
    }
}
