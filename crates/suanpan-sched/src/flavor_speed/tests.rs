use super::*;
use crate::explain::outlook_of;
use crate::fixtures::{HOUR, NOW, flavor, gpu_site, network, policy, shape, tres};
