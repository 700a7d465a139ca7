use crate::error::Result;

/// What the attributes fill a parameter with that no caller passes.
#[diagnostic::on_unimplemented(
    message = "a body cannot be given a `{Self}`",
    label = "not a parameter that the engine can fill",
    note = "the engine fills `Previous<S>`, `Context<C>`, `Dep<D>` and `Store`, and takes a type \
            of these names for its own; an argument has a type of another name"
)]
pub trait Injected: Sized {
    /// Makes it, inside the scope of the body.
    ///
    /// # Errors
    /// Outside a run, and when the engine does not have it.
    fn inject() -> Result<Self>;
}
