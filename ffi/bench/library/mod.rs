//! `libhydrant.so` as C programs meet it: built in the profile of the bench, opened, called by name.

use std::ffi::{CStr, CString, OsStr, c_char, c_void};
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};

/// `hyd_engine_config` as its first version had it.
#[repr(C)]
struct EngineConfig {
    struct_size: u32,
    flags: u32,
    cores: u32,
    connections: u32,
    pool_bytes: u64,
    part_size_bytes: u64,
}

type Place = *mut *mut c_void;
type EngineCreate = unsafe extern "C" fn(*const EngineConfig, Place, Place) -> i32;
type StoreOpen =
    unsafe extern "C" fn(*const c_void, *const c_char, *const c_void, Place, Place) -> i32;
type End = unsafe extern "C" fn(*mut c_void) -> i32;

/// The shared library, kept open.
pub struct Library(*mut c_void);

/// An engine of one core with one store on it.
pub struct Opened<'a> {
    library: &'a Library,
    pub engine: *mut c_void,
    pub store: *mut c_void,
}

impl Library {
    pub fn open() -> Library {
        let executable = std::env::current_exe().expect("the path of this bench");
        let profile = executable.parent().and_then(Path::parent).expect("deps in a profile");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.env("CARGO_TARGET_DIR", profile.parent().expect("a folder of profiles"));
        let name = match profile.file_name().and_then(OsStr::to_str).expect("a name") {
            "debug" => "dev",
            name => name,
        };
        let built = cargo
            .args(["build", "--quiet", "--lib", "-p", "hydrant-ffi", "--profile", name])
            .status();
        assert!(built.expect("cargo").success());
        let path = profile.join("libhydrant.so");
        let name = CString::new(path.to_str().expect("UTF-8")).expect("no NUL");
        // SAFETY: FFI-1. What the library runs when it is opened is Rust's own.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null(), "{} cannot be opened", path.display());
        Library(library)
    }

    /// # Safety
    /// `F` is the type of that function in the header.
    pub unsafe fn function<F: Copy>(&self, name: &CStr) -> F {
        // SAFETY: FFI-1. The library stays open, and a function pointer is as long as any.
        unsafe {
            let found = libc::dlsym(self.0, name.as_ptr());
            assert!(!found.is_null(), "{name:?} is not exported");
            std::mem::transmute_copy(&found)
        }
    }

    pub fn start(&self, flags: u32, pool_bytes: u64, uri: &str) -> Opened<'_> {
        let config = EngineConfig {
            struct_size: size_of::<EngineConfig>() as u32,
            flags,
            cores: 1,
            connections: 0,
            pool_bytes,
            part_size_bytes: 0,
        };
        let (mut engine, mut store) = (null_mut(), null_mut());
        let uri = CString::new(uri).expect("no NUL");
        // SAFETY: the types are those of the header; OWN-3: all that is lent lives until the calls return.
        unsafe {
            let create: EngineCreate = self.function(c"hyd_engine_create");
            let open: StoreOpen = self.function(c"hyd_store_open");
            assert_eq!(create(&config, &mut engine, null_mut()), 0);
            assert_eq!(open(engine, uri.as_ptr(), null(), &mut store, null_mut()), 0);
        }
        Opened { library: self, engine, store }
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        // SAFETY: the types are those of the header; the handles are this one's.
        unsafe {
            let close: End = self.library.function(c"hyd_store_close");
            let destroy: End = self.library.function(c"hyd_engine_destroy");
            assert_eq!((close(self.store), destroy(self.engine)), (0, 0));
        }
    }
}
