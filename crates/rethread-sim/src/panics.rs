//! Panics: nothing in a world should, so each is told.

use std::cell::RefCell;
use std::panic;

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps panics of the thread that lives through a world, instead of printing them.
pub(crate) fn keep() {
    panic::set_hook(Box::new(|info| {
        PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
    }));
}

/// The panics of this thread since the last call.
pub(crate) fn take() -> Vec<String> {
    PANICS.take()
}
