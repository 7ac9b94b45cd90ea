//! What the engine tells while it works, through the crate `tracing` where the feature of that name is
//! on. Without it nothing of this is compiled in.
//!
//! Events tell of what is rare: a start, an end, a refusal, a wait, a stall, a reset. They never come
//! once for each op, and never carry payload or secrets (SEC-1).

/// `event!(DEBUG, "core {index} runs")`: a level of `tracing`, and a message as `format!` takes it.
#[cfg(feature = "tracing")]
macro_rules! event {
    ($level:ident, $($message:tt)+) => {
        tracing::event!(target: "hydrant", tracing::Level::$level, $($message)+)
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! event {
    ($level:ident, $($message:tt)+) => {{
        // Its names count as used; it is never called.
        let _ = || format_args!($($message)+).as_str().is_some();
    }};
}

pub(crate) use event;
