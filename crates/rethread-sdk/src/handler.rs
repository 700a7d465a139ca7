use std::future::Future;

/// A function that can be the body of a task: async, with up to eight owned arguments.
///
/// `A` is the tuple of its arguments. It is implemented for functions and closures; there is
/// nothing to implement.
#[diagnostic::on_unimplemented(
    message = "this function cannot be the body of a task",
    label = "expected an async function of these arguments, up to 8",
    note = "its arguments are owned serde types and it returns `rethread::Result<T>`"
)]
pub trait Handler<A>: Send + Sync + 'static {
    /// What calling it gives.
    type Future: Future + Send + 'static;

    /// Begins the body.
    fn call(&self, args: A) -> Self::Future;
}

macro_rules! handler {
    ($($arg:ident)*) => {
        impl<F, Fut, $($arg),*> Handler<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> Fut + Send + Sync + 'static,
            Fut: Future + Send + 'static,
        {
            type Future = Fut;

            #[allow(non_snake_case, reason = "the type parameters name the variables too")]
            fn call(&self, ($($arg,)*): ($($arg,)*)) -> Fut {
                self($($arg),*)
            }
        }
    };
}

handler!();
handler!(A1);
handler!(A1 A2);
handler!(A1 A2 A3);
handler!(A1 A2 A3 A4);
handler!(A1 A2 A3 A4 A5);
handler!(A1 A2 A3 A4 A5 A6);
handler!(A1 A2 A3 A4 A5 A6 A7);
handler!(A1 A2 A3 A4 A5 A6 A7 A8);
