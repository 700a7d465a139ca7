use std::time::Duration;

/// A duration for people: a whole number of the largest unit that leaves at least two of it.
///
/// ```
/// use std::time::Duration;
///
/// use rethread_client::admin::span;
///
/// assert_eq!(span(Duration::from_millis(20)), "20 ms");
/// assert_eq!(span(Duration::from_secs(90)), "90 s");
/// assert_eq!(span(Duration::from_secs(3 * 86_400)), "3 days");
/// ```
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
