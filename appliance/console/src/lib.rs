//! The Goshawk console.
