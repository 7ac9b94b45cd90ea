//! The examples are run, each as the program that it is.

#[path = "../examples/caller_driven.rs"]
mod caller_driven;
#[path = "../examples/on_core.rs"]
mod on_core;
#[path = "../examples/smol.rs"]
mod smol_example;
#[path = "../examples/tokio.rs"]
mod tokio_example;

#[test]
fn caller_driven() {
    caller_driven::main().expect("it ends well");
}

#[test]
fn on_core() {
    on_core::main().expect("it ends well");
}

#[test]
fn smol() {
    smol_example::main().expect("it ends well");
}

#[test]
fn tokio() {
    tokio_example::main().expect("it ends well");
}
