//! The contract between kernel and daemon.
#![no_std]
