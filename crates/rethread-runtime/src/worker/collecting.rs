use std::time::Duration;

use tokio::time::Instant;

/// When the events of one attempt are handed in: the first at once, and those that follow closely
/// together with one another, so that a body which writes token by token does not cost a message
/// for each.
#[derive(Debug)]
pub(super) struct Collecting {
    window: Duration,
    /// When events may be handed in again; none: at once.
    open_from: Option<Instant>,
    /// When what is collected is due.
    due: Option<Instant>,
}

impl Collecting {
    /// Events are collected for this long at most.
    pub(super) fn new(window: Duration) -> Self {
        Self { window, open_from: None, due: None }
    }

    /// Whether what was written just now is handed in later; it is due then.
    pub(super) fn holds_back(&mut self) -> bool {
        let now = Instant::now();
        self.due = self.open_from.filter(|open| *open > now);
        self.due.is_some()
    }

    /// When what is collected is to be handed in, if something is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Everything was handed in, events among it if `has_events`.
    pub(super) fn handed_in(&mut self, has_events: bool) {
        self.due = None;
        if has_events {
            self.open_from = Instant::now().checked_add(self.window);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const WINDOW: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn the_first_goes_at_once_and_those_behind_it_go_together() {
        let mut collecting = Collecting::new(WINDOW);
        assert!(!collecting.holds_back());
        collecting.handed_in(true);
        assert!(collecting.holds_back());
        let due = collecting.due().expect("held back");
        advance(WINDOW / 2).await;
        assert!(collecting.holds_back());
        assert_eq!(collecting.due(), Some(due), "more of it delays nothing");
        advance(WINDOW / 2).await;
        assert!(!collecting.holds_back());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_open_no_window_and_no_window_holds_nothing_back() {
        let mut collecting = Collecting::new(WINDOW);
        collecting.handed_in(false);
        assert!(!collecting.holds_back());
        let mut collecting = Collecting::new(Duration::ZERO);
        collecting.handed_in(true);
        assert!(!collecting.holds_back());
    }
}
