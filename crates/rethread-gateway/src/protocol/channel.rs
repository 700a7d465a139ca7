use schemars::JsonSchema;
use serde::Deserialize;

/// Which events a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) struct Subscription {
    /// `values`, `updates`, `messages`, `tools`, `lifecycle`, `input`, `checkpoints`, `tasks`,
    /// `custom` or `custom:NAME`.
    #[serde(default)]
    pub(super) channels: Vec<String>,
    /// Beginnings of paths; by default all.
    pub(super) namespaces: Option<Vec<Vec<String>>>,
    /// How far below these beginnings.
    pub(super) depth: Option<u32>,
    /// The events up to this one are left out.
    pub(super) since: Option<Since>,
}

/// The last event that a client has seen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum Since {
    /// Its `seq`, on an earlier connection that asked for the same channels. The numbers go on
    /// behind it.
    Seq(u64),
    /// Its `event_id`.
    Event(String),
}

/// A kind of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Values,
    Updates,
    Messages,
    Lifecycle,
    Input,
    Checkpoints,
    Tasks,
    Custom,
}

const ALL: [Channel; 8] = [
    Channel::Values,
    Channel::Updates,
    Channel::Messages,
    Channel::Lifecycle,
    Channel::Input,
    Channel::Checkpoints,
    Channel::Tasks,
    Channel::Custom,
];

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Updates => "updates",
            Self::Messages => "messages",
            Self::Lifecycle => "lifecycle",
            Self::Input => "input",
            Self::Checkpoints => "checkpoints",
            Self::Tasks => "tasks",
            Self::Custom => "custom",
        }
    }

    /// The name of its events.
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Input => "input.requested",
            other => other.name(),
        }
    }
}

impl Subscription {
    /// What is wrong with it, if anything is.
    pub(super) fn fault(&self) -> Option<String> {
        if self.channels.is_empty() {
            return Some("channels: name at least one".to_owned());
        }
        let is_known = |name: &str| {
            // Nothing that runs here has tools of which the engine knows.
            name == "tools"
                || ALL.iter().any(|channel| channel.name() == name)
                || name.strip_prefix("custom:").is_some_and(|name| !name.is_empty())
        };
        let unknown = self.channels.iter().find(|name| !is_known(name))?;
        Some(format!("channels: `{unknown}` is not known"))
    }

    /// Whether an event is asked for. `name` is that of a custom event that has one.
    pub(super) fn wants(&self, channel: Channel, name: Option<&str>, path: &[String]) -> bool {
        self.has(channel, name) && self.reaches(path)
    }

    fn has(&self, channel: Channel, name: Option<&str>) -> bool {
        self.channels.iter().any(|asked| {
            asked == channel.name()
                || (channel == Channel::Custom
                    && asked.strip_prefix("custom:").is_some_and(|asked| name == Some(asked)))
        })
    }

    fn reaches(&self, path: &[String]) -> bool {
        let depth = self.depth.map_or(usize::MAX, |depth| depth as usize);
        let is_below = |start: &Vec<String>| {
            path.strip_prefix(start.as_slice()).is_some_and(|rest| rest.len() <= depth)
        };
        match &self.namespaces {
            Some(starts) if !starts.is_empty() => starts.iter().any(is_below),
            _ => path.len() <= depth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(channels: &[&str]) -> Subscription {
        let channels = channels.iter().map(|&name| name.to_owned()).collect();
        Subscription { channels, namespaces: None, depth: None, since: None }
    }

    fn path(steps: &[&str]) -> Vec<String> {
        steps.iter().map(|&step| step.to_owned()).collect()
    }

    #[test]
    fn unknown_channels_are_refused() {
        assert!(to(&[]).fault().is_some());
        assert!(to(&["values", "everything"]).fault().is_some());
        assert!(to(&["custom:"]).fault().is_some());
        assert_eq!(to(&["values", "tools", "custom:progress", "checkpoints"]).fault(), None);
    }

    #[test]
    fn custom_channels_have_names() {
        let named = to(&["custom:progress"]);
        assert!(named.wants(Channel::Custom, Some("progress"), &[]));
        assert!(!named.wants(Channel::Custom, Some("other"), &[]));
        assert!(!named.wants(Channel::Custom, None, &[]));
        assert!(to(&["custom"]).wants(Channel::Custom, Some("progress"), &[]));
    }

    #[test]
    fn paths_are_bounded_in_place_and_depth() {
        let mut below = to(&["values"]);
        below.namespaces = Some(vec![path(&["a"])]);
        below.depth = Some(1);
        for (steps, is_wanted) in [
            (path(&[]), false),
            (path(&["a"]), true),
            (path(&["a", "b"]), true),
            (path(&["a", "b", "c"]), false),
            (path(&["b"]), false),
        ] {
            assert_eq!(below.wants(Channel::Values, None, &steps), is_wanted, "{steps:?}");
        }
        below.namespaces = Some(vec![path(&[])]);
        assert!(below.wants(Channel::Values, None, &[]));
        assert!(!below.wants(Channel::Values, None, &path(&["a", "b"])));
    }
}
