//! stub
mod kit;
mod service;
