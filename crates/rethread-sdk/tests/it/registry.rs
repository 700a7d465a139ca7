//! Registering code, and starting it by name.

use rethread::prelude::*;
use rethread::{OptionError, Registry, RegistryError};
use rethread_core::event::Refusal;
use rethread_core::replay::Program;

use crate::driver::pack;

#[task]
async fn one() -> Result<()> {
    Ok(())
}

#[entrypoint]
async fn main_line(n: u32) -> Result<u32> {
    Ok(n)
}

#[entrypoint]
async fn second_line(n: u32) -> Result<u32> {
    Ok(n)
}

#[test]
fn names_are_listed_in_order() {
    let registry = Registry::builder()
        .entrypoint(second_line::def())
        .entrypoint(main_line::def())
        .task(one::def())
        .build()
        .expect("valid");
    assert_eq!(registry.entrypoint_names().collect::<Vec<_>>(), ["main_line", "second_line"]);
    assert_eq!(registry.task_names().collect::<Vec<_>>(), ["one"]);
    assert!(registry.task("one").is_some() && registry.task("two").is_none());
    assert_eq!(registry.tasks().count(), 1);
    assert_eq!(
        registry.start("third", &pack(1)).map(drop),
        Err(Refusal::UnknownEntrypoint {
            name: "third".into(),
            known: "main_line, second_line".into()
        })
    );
}

#[test]
fn a_name_is_registered_once() {
    let twice = Registry::builder().task(one::def()).task(one::def()).build();
    assert_eq!(twice.err(), Some(RegistryError::DuplicateTask { name: "one".into() }));
    let twice =
        Registry::builder().entrypoint(main_line::def()).entrypoint(main_line::def()).build();
    let error = twice.expect_err("twice");
    assert_eq!(error, RegistryError::DuplicateEntrypoint { name: "main_line".into() });
    assert!(error.to_string().contains("`main_line`"));
}

#[test]
fn a_task_and_an_entrypoint_have_different_names() {
    let task = || Task::new("main_line", || async { Ok::<_, Error>(()) });
    let expected = RegistryError::SharedName { name: "main_line".into() };
    let built = Registry::builder().task(task()).entrypoint(main_line::def()).build();
    assert_eq!(built.err(), Some(expected.clone()));
    let built = Registry::builder().entrypoint(main_line::def()).task(task()).build();
    assert_eq!(built.err(), Some(expected));
}

#[test]
fn names_of_the_engine_are_refused() {
    let task = Task::new("__input__", || async { Ok::<_, Error>(()) });
    let error = Registry::builder().task(task).build().expect_err("reserved");
    assert_eq!(error, RegistryError::InvalidName { name: "__input__".into() });
}

#[test]
fn names_and_queues_are_checked() {
    let unnamed = Task::new("", || async { Ok::<_, Error>(()) });
    let error = Registry::builder().task(unnamed).build().expect_err("no name");
    assert_eq!(error, RegistryError::InvalidName { name: String::new() });
    let error = Registry::builder().task(one::def().queue("")).build().expect_err("no queue");
    assert!(
        matches!(error, RegistryError::InvalidOption { name, source: OptionError::Queue(_) } if name == "one")
    );
}

#[test]
fn an_input_of_another_type_is_refused() {
    let registry = Registry::builder().entrypoint(main_line::def()).build().expect("valid");
    let Err(Refusal::InvalidInput { reason }) = registry.start("main_line", &pack("x")) else {
        panic!("was not refused")
    };
    assert!(reason.contains("input of entrypoint `main_line` as `u32`"), "{reason}");
}
