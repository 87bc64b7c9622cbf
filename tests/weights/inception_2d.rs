//! Inception-V1 on one picture, in plain loops and f64, with torchvision's names: the independent half of the tests of
//! inflation. Padding is TensorFlow's.

use i3d::weights::Tensor;

/// Batch norm's epsilon in torchvision's code.
const EPSILON: f64 = 0.001;

/// Values `[h, w, c]`.
#[derive(Clone)]
pub struct Map {
    pub h: usize,
    pub w: usize,
    pub c: usize,
    pub data: Vec<f64>,
}

impl Map {
    fn at(&self, y: usize, x: usize, c: usize) -> f64 {
        self.data[(y * self.w + x) * self.c + c]
    }
}

/// The state dict.
pub struct Inception<'a>(pub &'a [(String, Tensor)]);

impl Inception<'_> {
    fn get(&self, name: &str) -> &Tensor {
        &self.0.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    /// Every endpoint under DeepMind's name, the last being the classifier's output.
    pub fn endpoints(&self, picture: &Map) -> Vec<(&'static str, Map)> {
        let mut all = Vec::new();
        let mut x = picture.clone();
        let mut keep = |name: &'static str, map: Map| {
            all.push((name, map.clone()));
            map
        };
        x = keep("Conv3d_1a_7x7", self.unit("conv1", &x, 2));
        x = keep("MaxPool3d_2a_3x3", pool(&x, 3, 2));
        x = keep("Conv3d_2b_1x1", self.unit("conv2", &x, 1));
        x = keep("Conv3d_2c_3x3", self.unit("conv3", &x, 1));
        x = keep("MaxPool3d_3a_3x3", pool(&x, 3, 2));
        x = keep("Mixed_3b", self.module("inception3a", &x));
        x = keep("Mixed_3c", self.module("inception3b", &x));
        x = keep("MaxPool3d_4a_3x3", pool(&x, 3, 2));
        x = keep("Mixed_4b", self.module("inception4a", &x));
        x = keep("Mixed_4c", self.module("inception4b", &x));
        x = keep("Mixed_4d", self.module("inception4c", &x));
        x = keep("Mixed_4e", self.module("inception4d", &x));
        x = keep("Mixed_4f", self.module("inception4e", &x));
        x = keep("MaxPool3d_5a_2x2", pool(&x, 2, 2));
        x = keep("Mixed_5b", self.module("inception5a", &x));
        x = keep("Mixed_5c", self.module("inception5b", &x));
        keep("Logits/Conv3d_0c_1x1", self.classifier(&x));
        all
    }

    fn module(&self, name: &str, x: &Map) -> Map {
        let unit = |branch: &str, x: &Map| self.unit(&format!("{name}.{branch}"), x, 1);
        let branches = [
            unit("branch1", x),
            unit("branch2.1", &unit("branch2.0", x)),
            unit("branch3.1", &unit("branch3.0", x)),
            unit("branch4.1", &pool(x, 3, 1)),
        ];
        let mut data = Vec::new();
        for position in 0..x.h * x.w {
            for Map { c, data: values, .. } in &branches {
                data.extend_from_slice(&values[position * c..][..*c]);
            }
        }
        Map { c: branches.iter().map(|b| b.c).sum(), data, ..*x }
    }

    /// Convolution, batch norm with its scale, ReLU.
    fn unit(&self, name: &str, x: &Map, stride: usize) -> Map {
        let kernel = self.get(&format!("{name}.conv.weight"));
        let &[out, input, size, _] = &kernel.shape[..] else { panic!("{name}: {:?}", kernel.shape) };
        assert_eq!(input, x.c, "{name}");
        let vector = |end: &str| &self.get(&format!("{name}.bn.{end}")).data;
        let (scale, beta) = (vector("weight"), vector("bias"));
        let (mean, variance) = (vector("running_mean"), vector("running_var"));
        let (h, top) = same(x.h, size, stride);
        let (w, left) = same(x.w, size, stride);
        let mut data = Vec::new();
        for oy in 0..h {
            for ox in 0..w {
                for o in 0..out {
                    let mut sum = 0.0;
                    for (ky, kx) in (0..size).flat_map(|ky| (0..size).map(move |kx| (ky, kx))) {
                        let (y, x_) =
                            ((oy * stride + ky).wrapping_sub(top), (ox * stride + kx).wrapping_sub(left));
                        if y < x.h && x_ < x.w {
                            for i in 0..input {
                                let weight = kernel.data[((o * input + i) * size + ky) * size + kx];
                                sum += f64::from(weight) * x.at(y, x_, i);
                            }
                        }
                    }
                    let deviation = (f64::from(variance[o]) + EPSILON).sqrt();
                    let normal = (sum - f64::from(mean[o])) / deviation;
                    data.push((normal * f64::from(scale[o]) + f64::from(beta[o])).max(0.0));
                }
            }
        }
        Map { h, w, c: out, data }
    }

    /// The mean over the picture, and `fc`.
    fn classifier(&self, x: &Map) -> Map {
        let positions = x.h * x.w;
        let mean = |c: usize| (0..positions).map(|p| x.data[p * x.c + c]).sum::<f64>() / positions as f64;
        let features: Vec<f64> = (0..x.c).map(mean).collect();
        let (weight, bias) = (&self.get("fc.weight").data, &self.get("fc.bias").data);
        let logit = |o: usize| {
            let products = features.iter().enumerate().map(|(i, f)| f * f64::from(weight[o * x.c + i]));
            products.sum::<f64>() + f64::from(bias[o])
        };
        Map { h: 1, w: 1, c: bias.len(), data: (0..bias.len()).map(logit).collect() }
    }
}

/// Max pool; what lies outside never wins.
fn pool(x: &Map, size: usize, stride: usize) -> Map {
    let (h, top) = same(x.h, size, stride);
    let (w, left) = same(x.w, size, stride);
    let mut data = Vec::new();
    for oy in 0..h {
        for ox in 0..w {
            for c in 0..x.c {
                let rows = (0..size).map(|k| (oy * stride + k).wrapping_sub(top)).filter(|&y| y < x.h);
                let columns =
                    || (0..size).map(|k| (ox * stride + k).wrapping_sub(left)).filter(|&x_| x_ < x.w);
                let values = rows.flat_map(|y| columns().map(move |x_| x.at(y, x_, c)));
                data.push(values.fold(f64::NEG_INFINITY, f64::max));
            }
        }
    }
    Map { h, w, c: x.c, data }
}

/// TensorFlow's SAME: output length and padding before.
fn same(length: usize, size: usize, stride: usize) -> (usize, usize) {
    let out = length.div_ceil(stride);
    (out, (((out - 1) * stride + size).max(length) - length) / 2)
}
