//! stub
use crate::network::I3d;
/// x
pub struct Weights {/// x
 pub network: I3d, /// x
 pub units: Vec<UnitWeights> }
/// x
pub struct UnitWeights {/// x
 pub kernel: Vec<f32>,/// x
 pub bias: Vec<f32> }
