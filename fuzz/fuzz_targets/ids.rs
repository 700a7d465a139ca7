//! Whatever text a user or a key holds where an id should be: it is refused, or it is an id whose
//! text form names the same id again.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use rethread_core::ids::{
    CallId, CheckpointId, ExecutionId, ID_BYTES_MAX, InterruptId, NodeId, OpId, OwnerToken,
    QueueName, RunId, ThreadId, ThreadKey, WorkerId,
};

fuzz_target!(|text: &str| {
    names_itself::<ThreadId>(text);
    names_itself::<QueueName>(text);
    names_itself::<WorkerId>(text);
    names_itself::<NodeId>(text);
    names_itself::<ThreadKey>(text);
    names_itself::<CallId>(text);
    names_itself::<InterruptId>(text);
    names_itself::<OpId>(text);
    names_itself::<RunId>(text);
    names_itself::<ExecutionId>(text);
    names_itself::<CheckpointId>(text);
    names_itself::<OwnerToken>(text);

    let is_id = (1..=ID_BYTES_MAX).contains(&text.len());
    assert_eq!(ThreadId::new(text).is_ok(), is_id);
    if let Ok(thread) = ThreadId::new(text) {
        assert_eq!(thread.as_str(), text);
        for partitions in [1, 16, u16::MAX] {
            assert!(thread.key().partition(partitions).0 < partitions);
        }
    }
});

fn names_itself<T>(text: &str)
where
    T: FromStr + Display + PartialEq + Debug,
    T::Err: Display + Debug,
{
    match text.parse::<T>() {
        Ok(id) => assert_eq!(id.to_string().parse::<T>().expect("own text form is read"), id),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
