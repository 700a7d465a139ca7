use std::future::Future;
use std::sync::Arc;

use rethread_core::failure::Failure;
use rethread_core::graph::NodeOutput;
use rethread_core::payload::Payload;
use rethread_sdk::__private::Injected;
use rethread_sdk::Error;

use crate::command::IntoNodeOutput;
use crate::node::{Handle, Kind, Node, NodeError, Running};
use crate::state::NodeInput;

/// A function that can be a node: async, of the state (see [`NodeInput`]) to an update of it (see
/// [`IntoNodeOutput`]), or of nothing.
///
/// Behind the state it may have up to three parameters that are filled: `Context<C>`, `Dep<D>`
/// and `Store`.
#[diagnostic::on_unimplemented(
    message = "this function cannot be a node",
    label = "expected `async fn(State) -> Result<Update>`",
    note = "it takes a type that derives `State` (or `Sent<T>`), and returns a `Result` of its \
            update, of `()`, or of a `Command`"
)]
pub trait NodeFn<A>: Send + Sync + 'static {
    /// The node, without options.
    fn into_node(self) -> Node;
}

/// A handler of errors without its types.
pub(crate) fn handle<I, F, Fut, R, E>(handler: F) -> Arc<Handle>
where
    I: NodeInput,
    F: Fn(I, NodeError) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    R: IntoNodeOutput,
    E: Into<Error>,
{
    Arc::new(move |state: &Payload, error: NodeError, node: &str| {
        let running = handler(I::read(state, node)?, error);
        Ok(Box::pin(async move { output(running.await) }) as Running)
    })
}

/// What a node's function returned, in the recorded form.
fn output<R: IntoNodeOutput, E: Into<Error>>(
    returned: Result<R, E>,
) -> Result<NodeOutput, Failure> {
    returned.map_err(|error| error.into().into_failure())?.into_node_output()
}

impl<F, Fut, R, E> NodeFn<(R, E)> for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    R: IntoNodeOutput,
    E: Into<Error>,
{
    fn into_node(self) -> Node {
        let work = move |_: &Payload, _: &str| {
            let running = self();
            Ok(Box::pin(async move { output(running.await) }) as Running)
        };
        Node { writes: R::fields(), ..Node::of(Kind::Function(Arc::new(work)), None) }
    }
}

macro_rules! node_fn {
    ($($filled:ident)*) => {
        impl<F, I, $($filled,)* Fut, R, E> NodeFn<(I, $($filled,)* R, E)> for F
        where
            F: Fn(I, $($filled),*) -> Fut + Send + Sync + 'static,
            I: NodeInput,
            $($filled: Injected + Send + 'static,)*
            Fut: Future<Output = Result<R, E>> + Send + 'static,
            R: IntoNodeOutput,
            E: Into<Error>,
        {
            #[allow(non_snake_case, reason = "the type parameters name the variables too")]
            fn into_node(self) -> Node {
                let function = Arc::new(self);
                let work = move |state: &Payload, node: &str| {
                    let state = I::read(state, node)?;
                    let function = Arc::clone(&function);
                    // What is filled is asked for where the node runs.
                    Ok(Box::pin(async move {
                        $(let $filled = $filled::inject().map_err(Error::into_failure)?;)*
                        output(function(state, $($filled),*).await)
                    }) as Running)
                };
                let node = Node::of(Kind::Function(Arc::new(work)), I::fields());
                Node { writes: R::fields(), ..node }
            }
        }
    };
}

node_fn!();
node_fn!(A1);
node_fn!(A1 A2);
node_fn!(A1 A2 A3);
