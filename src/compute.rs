//! What the vocoder computes on: the processor, or a graphics card. The rest, a few percent of the work, stays on the
//! processor.

use std::fmt;
use std::str::FromStr;

use candle_core::Device;

/// What to compute on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compute {
    /// The first graphics card that this build can use and this machine has, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA card by its number, in builds with the feature `cuda`.
    Cuda(usize),
    /// An Apple GPU by its number, in builds with the feature `metal`.
    Metal(usize),
}

/// Why something cannot be computed on.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// It is no such thing.
    #[error("compute: expected auto, cpu, cuda:0 or metal:0, got `{0}`")]
    Unknown(String),
    /// This build does not know it.
    #[error("compute: {compute} was asked for, and this build has no `{feature}`")]
    NotBuilt {
        /// What was asked for.
        compute: Compute,
        /// What it would take.
        feature: &'static str,
    },
    /// This machine has none, or its driver or libraries are missing.
    #[error("compute: {compute} cannot be used: {reason}")]
    Absent {
        /// What was asked for.
        compute: Compute,
        /// What the driver said.
        reason: String,
    },
}

impl ComputeError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown(_) => {
                "`cpu` works everywhere; `auto` takes a graphics card where there is one".into()
            }
            Self::NotBuilt { feature, .. } => {
                format!("build with `--features {feature}` (README, \"GPU\"), or take `cpu`")
            }
            Self::Absent { .. } => "see that the card's driver is installed and its libraries are found \
                 (LD_LIBRARY_PATH), or take `cpu`"
                .into(),
        }
    }
}

impl fmt::Display for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal(number) => write!(f, "metal:{number}"),
        }
    }
}

impl FromStr for Compute {
    type Err = ComputeError;

    fn from_str(text: &str) -> Result<Self, ComputeError> {
        let (kind, number) = text.split_once(':').unwrap_or((text, ""));
        let number = match number {
            "" => Some(0),
            number => number.parse().ok(),
        };
        match (kind, number) {
            ("auto", _) if text == "auto" => Ok(Self::Auto),
            ("cpu", _) if text == "cpu" => Ok(Self::Cpu),
            ("cuda", Some(number)) => Ok(Self::Cuda(number)),
            ("metal", Some(number)) => Ok(Self::Metal(number)),
            _ => Err(ComputeError::Unknown(text.into())),
        }
    }
}

impl Compute {
    /// Opens it.
    ///
    /// # Errors
    /// A card was asked for that this build or this machine does not have. [`Compute::Auto`] always finds something.
    pub fn open(self) -> Result<Device, ComputeError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => {
                for card in [Self::Cuda(0), Self::Metal(0)] {
                    match card.open() {
                        Ok(device) => return Ok(device),
                        Err(error @ ComputeError::Absent { .. }) => {
                            tracing::info!(%error, "computing on the processor");
                        }
                        Err(_) => {}
                    }
                }
                Ok(Device::Cpu)
            }
            Self::Cuda(number) => self.open_cuda(number),
            Self::Metal(number) => self.open_metal(number),
        }
    }

    /// What a device is called here.
    pub fn of(device: &Device) -> Self {
        match device.location() {
            candle_core::DeviceLocation::Cpu => Self::Cpu,
            candle_core::DeviceLocation::Cuda { gpu_id } => Self::Cuda(gpu_id),
            candle_core::DeviceLocation::Metal { gpu_id } => Self::Metal(gpu_id),
        }
    }

    #[cfg(feature = "cuda")]
    fn open_cuda(self, number: usize) -> Result<Device, ComputeError> {
        #[cfg(feature = "cuda-loading")]
        if let Some(library) = missing_library() {
            let reason = format!("{library} is not found");
            return Err(ComputeError::Absent { compute: self, reason });
        }
        Device::new_cuda(number)
            .and_then(proven)
            .map_err(|error| ComputeError::Absent { compute: self, reason: error.to_string() })
    }

    #[cfg(not(feature = "cuda"))]
    fn open_cuda(self, _number: usize) -> Result<Device, ComputeError> {
        Err(ComputeError::NotBuilt { compute: self, feature: "cuda" })
    }

    #[cfg(feature = "metal")]
    fn open_metal(self, number: usize) -> Result<Device, ComputeError> {
        Device::new_metal(number)
            .and_then(proven)
            .map_err(|error| ComputeError::Absent { compute: self, reason: error.to_string() })
    }

    #[cfg(not(feature = "metal"))]
    fn open_metal(self, _number: usize) -> Result<Device, ComputeError> {
        Err(ComputeError::NotBuilt { compute: self, feature: "metal" })
    }
}

/// A card may be there and not run this build's kernels, which are made for one generation: it multiplies once.
#[cfg(any(feature = "cuda", feature = "metal"))]
fn proven(device: Device) -> candle_core::Result<Device> {
    let product = candle_core::Tensor::new(&[1f32], &device)?.affine(2.0, 1.0)?.to_vec1::<f32>()?;
    if product != [3.0] {
        candle_core::bail!("it computes 2 + 1 as {product:?}");
    }
    Ok(device)
}

/// The bindings panic where a library is missing that they load: they are looked for before.
#[cfg(feature = "cuda-loading")]
fn missing_library() -> Option<&'static str> {
    use candle_core::cuda_backend::cudarc::{cublas, curand, driver};
    // SAFETY: the libraries are opened and closed, and nothing of them is called.
    #[allow(unsafe_code)]
    let libraries = unsafe {
        [
            ("the driver's libcuda", driver::sys::is_culib_present()),
            ("libcublas", cublas::sys::is_culib_present()),
            ("libcurand", curand::sys::is_culib_present()),
        ]
    };
    libraries.into_iter().find(|(_, is_present)| !is_present).map(|(library, _)| library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in ["auto", "cpu", "cuda:0", "cuda:3", "metal:0"] {
            assert_eq!(name.parse::<Compute>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse::<Compute>().unwrap(), Compute::Cuda(0));
        for name in ["", "gpu", "cpu:1", "cuda:x", "cuda:-1", "auto:0", "CUDA"] {
            assert!(name.parse::<Compute>().is_err(), "{name}");
        }
    }

    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    #[test]
    fn what_was_not_built_is_refused_and_auto_takes_the_processor() {
        for (compute, feature) in [(Compute::Cuda(0), "cuda"), (Compute::Metal(1), "metal")] {
            let error = compute.open().unwrap_err();
            assert!(error.hint().contains(feature), "{error}");
        }
        assert_eq!(Compute::of(&Compute::Auto.open().unwrap()), Compute::Cpu);
    }
}
