//! An operation of the API: its description and its handler are given in one place, so that the
//! OpenAPI document tells what the router does.
//!
//! ```text
//! Routes::new().add(
//!     Operation::get("/threads/{thread_id}", "get_thread", "Threads", "The thread.")
//!         .query::<Include>()
//!         .json::<Thread>(200, "The thread.")
//!         .fault(404, "There is no such thread."),
//!     get_thread,
//! )
//! ```

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::routing::{MethodFilter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::auth::{self, Needs, Scope};
use crate::limits::Kind;
use crate::shared::Shared;

/// Makes the schema of a type.
pub(crate) type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// What is said about one operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: Verb,
    pub(crate) path: &'static str,
    /// Names it among all operations.
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: Option<MakeSchema>,
    pub(crate) body: Option<RequestBody>,
    pub(crate) answers: Vec<Answer>,
    /// The scope that a token needs for it; none: everybody may.
    pub(crate) scope: Option<Scope>,
}

/// The method of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    /// Its name in an OpenAPI document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// The body of a request.
#[derive(Debug, Clone)]
pub(crate) struct RequestBody {
    pub(crate) schema: MakeSchema,
    pub(crate) is_required: bool,
}

/// One way in which an operation answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) description: &'static str,
    pub(crate) content: Content,
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Nothing,
    Json(MakeSchema),
    /// Server-sent events.
    Events,
    /// `{"detail"}`.
    Fault,
}

impl Operation {
    fn new(
        method: Verb,
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        let scope = Some(if method == Verb::Get { Scope::Read } else { Scope::Write });
        let (query, body, answers) = (None, None, Vec::new());
        Self { method, path, id, tag, summary, query, body, answers, scope }
    }

    /// A GET of `path`, in which `{thread_id}`, `{run_id}` and `{checkpoint_id}` are UUIDs.
    pub(crate) fn get(
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        Self::new(Verb::Get, path, id, tag, summary)
    }

    pub(crate) fn post(
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        Self::new(Verb::Post, path, id, tag, summary)
    }

    pub(crate) fn put(
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        Self::new(Verb::Put, path, id, tag, summary)
    }

    pub(crate) fn patch(
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        Self::new(Verb::Patch, path, id, tag, summary)
    }

    pub(crate) fn delete(
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        Self::new(Verb::Delete, path, id, tag, summary)
    }

    /// It changes nothing, whatever its method: the scope `read` is enough, which is otherwise
    /// so for GET only.
    pub(crate) fn reads(mut self) -> Self {
        self.scope = Some(Scope::Read);
        self
    }

    /// It needs the scope `admin`.
    pub(crate) fn administers(mut self) -> Self {
        self.scope = Some(Scope::Admin);
        self
    }

    /// It needs no token.
    pub(crate) fn open(mut self) -> Self {
        self.scope = None;
        self
    }

    /// What a request needs to be let through to it.
    fn needs(&self) -> Needs {
        let is_stream = self.answers.iter().any(|it| matches!(it.content, Content::Events));
        let kind = if is_stream { Kind::Stream } else { Kind::Request };
        Needs { operation: self.id, scope: self.scope, kind }
    }

    /// Each member of `T` is a member of the query string.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It has a JSON body ([`Body`](crate::extract::Body)).
    pub(crate) fn body<T: JsonSchema>(mut self) -> Self {
        let schema = SchemaGenerator::subschema_for::<T>;
        self.body = Some(RequestBody { schema, is_required: true });
        self
    }

    /// It may have a JSON body ([`OptionalBody`](crate::extract::OptionalBody)).
    pub(crate) fn optional_body<T: JsonSchema>(mut self) -> Self {
        let schema = SchemaGenerator::subschema_for::<T>;
        self.body = Some(RequestBody { schema, is_required: false });
        self
    }

    /// It may answer with this JSON.
    pub(crate) fn json<T: JsonSchema>(self, status: u16, description: &'static str) -> Self {
        self.answer(status, description, Content::Json(SchemaGenerator::subschema_for::<T>))
    }

    /// It may answer without a body.
    pub(crate) fn empty(self, status: u16, description: &'static str) -> Self {
        self.answer(status, description, Content::Nothing)
    }

    /// It may answer with server-sent events.
    pub(crate) fn events(self, status: u16, description: &'static str) -> Self {
        self.answer(status, description, Content::Events)
    }

    /// It may refuse so. What every operation may answer (401, 403, 422, 429, 500, 503; 413 with
    /// a body) need not be told.
    pub(crate) fn fault(self, status: u16, description: &'static str) -> Self {
        self.answer(status, description, Content::Fault)
    }

    fn answer(mut self, status: u16, description: &'static str, content: Content) -> Self {
        self.answers.push(Answer { status, description, content });
        self
    }
}

/// Operations with their handlers.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) router: Router<Shared>,
    pub(crate) operations: Vec<Operation>,
}

impl Routes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds an operation.
    pub(crate) fn add<H: Handler<T, Shared>, T: 'static>(
        mut self,
        operation: Operation,
        handler: H,
    ) -> Self {
        let Operation { path, method, .. } = operation;
        let needs = operation.needs();
        let admitted = on(method.filter(), handler)
            .layer(from_fn(move |request, next| auth::admit(needs, request, next)));
        self.router = self.router.route(path, admitted);
        self.operations.push(operation);
        self
    }

    /// Adds those of another module.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.operations.extend(other.operations);
        self
    }
}
