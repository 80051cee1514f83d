//! The page is part of the binary: when it is built anew, so is this.

fn main() {
    println!("cargo::rerun-if-changed=../web/dist");
}
