//! The pipeline as a whole, over a real journal in a temporary directory.

mod crash;
mod disk;
mod fixture;
mod measure;
mod restart;
mod views;
mod work;
