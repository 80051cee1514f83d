//! Room on the stack for what recurses over statements and plans as deep as users write them.

use std::pin::pin;

/// Free bytes below which a stack of [`STACK`] bytes takes over: always, on threads of the usual size.
const ROOM: usize = 16 << 20;
const STACK: usize = 64 << 20;

/// Polls `work` on a large stack. An overflow ends the process, and no panic boundary stops it.
pub async fn roomy<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| stacker::maybe_grow(ROOM, STACK, || work.as_mut().poll(cx))).await
}

/// Runs `work` on a large stack.
pub fn with_room<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(ROOM, STACK, work)
}
