use rethread_core::failure::Failure;
use rethread_sdk::Error;

use crate::command::{Goto, Send};

/// One result of a path: the name of a node, or of an entry in the map of the [`Branch`]; a
/// [`Send`]; or nothing that leads anywhere.
///
/// [`Branch`]: crate::Branch
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// By its text: looked up in the map of the branch if it has one, else a node or [`END`](crate::END).
    To(String),
    /// Sends to a node.
    Send(Send),
}

/// Where a conditional edge may lead, as a type: derive it for an enum without fields.
///
/// ```
/// # extern crate rethread_graph as rethread;
/// use rethread_graph::Route;
///
/// #[derive(Debug, Clone, Copy, Route)]
/// enum Next {
///     /// The node `search_again`.
///     SearchAgain,
///     #[route(node = "answer")]
///     Answering,
///     #[route(end)]
///     Done,
/// }
///
/// assert_eq!(Next::DESTINATIONS, ["search_again", "answer", "__end__"]);
/// ```
///
/// A graph whose path returns one is refused by `compile` if one of the nodes does not exist, and
/// draws its edges without being told where they lead.
pub trait Route {
    /// All nodes it may lead to, [`END`](crate::END) included.
    const DESTINATIONS: &'static [&'static str];

    /// The node.
    fn destination(&self) -> &'static str;
}

/// What a path may return: the name of a node, [`END`](crate::END), a [`Send`], a [`Route`], several of
/// these, or a value that the map of its branch has by its text. In a `Result`, too.
pub trait IntoRoutes {
    /// Where it may lead, if the type says so.
    const DESTINATIONS: Option<&'static [&'static str]> = None;

    /// Whether it names no nodes, so that the branch must have a map. `compile` refuses one without.
    const NEEDS_MAP: bool = false;

    /// The ways.
    ///
    /// # Errors
    /// The error of the path.
    fn into_routes(self) -> Result<Vec<Way>, Failure>;
}

impl<R: Route> IntoRoutes for R {
    const DESTINATIONS: Option<&'static [&'static str]> = Some(R::DESTINATIONS);

    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        Ok(vec![Way::To(self.destination().to_owned())])
    }
}

impl IntoRoutes for &str {
    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        Ok(vec![Way::To(self.to_owned())])
    }
}

impl IntoRoutes for String {
    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        Ok(vec![Way::To(self)])
    }
}

impl IntoRoutes for Way {
    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        Ok(vec![self])
    }
}

impl IntoRoutes for Send {
    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        Ok(vec![Way::Send(self)])
    }
}

impl IntoRoutes for Goto {
    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        use rethread_core::graph::Destination;
        Ok(vec![match self.into_destination()? {
            Destination::Node(node) => Way::To(node),
            Destination::Send { node, input } => Way::Send(Send::encoded(node, input)),
        }])
    }
}

/// `true` and `false` in the map.
impl IntoRoutes for bool {
    const NEEDS_MAP: bool = true;

    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        Ok(vec![Way::To(self.to_string())])
    }
}

/// JSON: a list is several ways, everything else counts by its text.
impl IntoRoutes for serde_json::Value {
    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        match self {
            Self::String(text) => text.into_routes(),
            Self::Array(ways) => ways.into_routes(),
            other => other.to_string().into_routes(),
        }
    }
}

impl<R: IntoRoutes> IntoRoutes for Option<R> {
    const DESTINATIONS: Option<&'static [&'static str]> = R::DESTINATIONS;
    const NEEDS_MAP: bool = R::NEEDS_MAP;

    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        self.map_or_else(|| Ok(Vec::new()), R::into_routes)
    }
}

impl<R: IntoRoutes> IntoRoutes for Vec<R> {
    const DESTINATIONS: Option<&'static [&'static str]> = R::DESTINATIONS;
    const NEEDS_MAP: bool = R::NEEDS_MAP;

    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        let mut all = Vec::with_capacity(self.len());
        for routes in self {
            all.extend(routes.into_routes()?);
        }
        Ok(all)
    }
}

impl<R: IntoRoutes, const N: usize> IntoRoutes for [R; N] {
    const DESTINATIONS: Option<&'static [&'static str]> = R::DESTINATIONS;
    const NEEDS_MAP: bool = R::NEEDS_MAP;

    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        Vec::from(self).into_routes()
    }
}

impl<R: IntoRoutes, E: Into<Error>> IntoRoutes for Result<R, E> {
    const DESTINATIONS: Option<&'static [&'static str]> = R::DESTINATIONS;
    const NEEDS_MAP: bool = R::NEEDS_MAP;

    fn into_routes(self) -> Result<Vec<Way>, Failure> {
        self.map_err(|error| error.into().into_failure())?.into_routes()
    }
}
