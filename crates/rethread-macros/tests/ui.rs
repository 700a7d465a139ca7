//! What the compiler says to the usual mistakes.
//!
//! `TRYBUILD=overwrite cargo test -p rethread-macros --test ui` takes new texts over.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
