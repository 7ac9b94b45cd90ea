//! The library as C and C++ programs meet it: its header, compiled and linked programs, an installed
//! tree, and what a request allocates.

mod abi;
mod allocations;
mod byhand;
mod common;
mod cxx;
mod declared;
mod header;
mod install;
mod listings;
mod memory;
mod options;
mod programs;
mod service;
mod told;
