use rethread_macros::Route;

#[derive(Route)]
enum WithFields {
    Tools(u8),
    #[route(stop)]
    Done,
}

#[derive(Route)]
struct NoEnum;

#[derive(Route)]
enum Empty {}

fn main() {}
