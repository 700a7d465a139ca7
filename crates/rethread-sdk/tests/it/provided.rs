//! What a program provides to its bodies.

use std::sync::Arc;
use std::task::Poll;

use rethread::prelude::*;
use rethread::{Args, Registry, RegistryBuilder, RegistryError, kind};
use rethread_core::replay::{Program, ScopeInfo};

use crate::driver::{Driver, attempt_with, info, pack};

trait Model: Send + Sync {
    fn answer(&self) -> String;
}

struct Echo(String);

impl Model for Echo {
    fn answer(&self) -> String {
        self.0.clone()
    }
}

#[task]
async fn ask(model: Dep<dyn Model>, n: u8, limit: Dep<u32>) -> Result<String> {
    Ok(format!("{} {n} of {}", model.answer(), *limit))
}

#[entrypoint]
async fn body(limit: Dep<u32>, n: u32) -> Result<u32> {
    Ok(*limit + n + *dep::<u32>()?)
}

fn provided() -> RegistryBuilder {
    let model: Arc<dyn Model> = Arc::new(Echo("hello".into()));
    Registry::builder().provide(10_u32).provide_shared(model)
}

fn info_of(registry: RegistryBuilder) -> ScopeInfo {
    ScopeInfo { provided: registry.build().expect("valid").provided(), ..info("x") }
}

#[test]
fn bodies_find_it_by_type() {
    let input = (3_u8,).encode("ask").expect("encodes");
    let attempt = attempt_with(ask::def(), &input, info_of(provided()));
    assert_eq!(attempt.outcome, Poll::Ready(Ok(pack("hello 3 of 10"))));
    let driver = Driver::start_with(body::def(), 1, info_of(provided()));
    assert_eq!(driver.value::<u32>(), 21);
}

#[test]
fn what_is_missing_is_named() {
    let driver = Driver::start(body::def(), 1);
    let failure = driver.failure();
    assert_eq!((failure.kind.as_str(), failure.retryable), (kind::NOT_PROVIDED, Some(false)));
    assert!(failure.message.contains("`u32` is provided"), "{failure}");

    let input = (3_u8,).encode("ask").expect("encodes");
    let info = info_of(Registry::builder().provide(1_u8));
    let Poll::Ready(Err(failure)) = attempt_with(ask::def(), &input, info).outcome else {
        panic!("did not fail")
    };
    assert!(failure.message.contains("dyn"), "{failure}");
}

#[test]
fn one_value_of_each_type_is_provided() {
    let error = provided().provide(11_u32).build().expect_err("twice");
    assert_eq!(error, RegistryError::DuplicateProvided { type_name: "u32" });
}

#[test]
fn the_parameter_gives_the_value() {
    #[entrypoint]
    async fn body(_input: (), text: Dep<String>) -> Result<usize> {
        assert_eq!(format!("{text:?}"), "Dep<alloc::string::String>");
        let copy: Arc<String> = text.clone().into_inner();
        Ok(copy.len() + text.len())
    }
    let info = info_of(Registry::builder().provide("abc".to_owned()));
    assert_eq!(Driver::start_with(body::def(), (), info).value::<usize>(), 6);
}
