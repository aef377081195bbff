"""The minimal StyleGAN2: the five modules of a teaching specification, small enough to read in one sitting.

It differs from `stylegan2.py` on purpose: one w per block instead of per layer, bilinear resampling with a 3x3 blur,
no activation gain, a toRGB with an activation, and a discriminator that ends at 2x2 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.errors import ShapeError

NoisePair = tuple[Tensor | None, Tensor | None]


class MappingNetwork(nn.Module):
    """z -> w: `n_layers` equalized linear layers with leaky ReLU.

    Args:
        features: number of features in z and w.
        n_layers: number of layers.
    """

    def __init__(self, features: int, n_layers: int):
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(n_layers):
            layers += [EqualizedLinear(features, features), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """z [batch_size, features] -> w [batch_size, features]. z is first divided by its length."""
        return self.net(F.normalize(z, dim=1))


class Generator(nn.Module):
    """w and noise -> image. StyleGAN2 Fig. 2(c), 7(b).

    Args:
        log_resolution: log2 of the image resolution, at least 2.
        d_latent: number of features in w.
        n_features: channels of the last block; doubled with every halving of the resolution.
        max_features: most channels of any block.

    `n_blocks` is the number of blocks: one for each resolution from 4x4 on.
    """

    def __init__(self, log_resolution: int, d_latent: int, n_features: int = 32, max_features: int = 512):
        super().__init__()
        features = [min(max_features, n_features * 2**i) for i in range(log_resolution - 2, -1, -1)]
        self.n_blocks = len(features)
        self.initial_constant = nn.Parameter(torch.randn(1, features[0], 4, 4))
        self.style_block = StyleBlock(d_latent, features[0], features[0])
        self.to_rgb = ToRGB(d_latent, features[0])
        self.blocks = nn.ModuleList(
            GeneratorBlock(d_latent, features[i - 1], features[i]) for i in range(1, self.n_blocks)
        )
        self.up_sample = UpSample()

    def forward(self, w: Tensor, input_noise: Sequence[NoisePair]) -> Tensor:
        """
        Args:
            w: [n_blocks, batch_size, d_latent], one w per block, so that styles can be mixed.
            input_noise: n_blocks pairs of noise, each [batch_size, 1, H, W] or None. The first block has a single
                convolution and takes the second of its pair.
        Returns: rgb_img [batch_size, 3, 2**log_resolution, 2**log_resolution]
        Raises: ShapeError for another number of blocks in w or the noise.
        """
        if w.ndim != 3 or len(w) != self.n_blocks or len(input_noise) != self.n_blocks:
            raise ShapeError(
                f"generator takes w [{self.n_blocks}, batch, d_latent] and {self.n_blocks} pairs of noise, "
                f"got w {list(w.shape)} and {len(input_noise)} pairs."
            )
        x = self.initial_constant.expand(w.shape[1], -1, -1, -1)
        x = self.style_block(x, w[0], input_noise[0][1])
        rgb = self.to_rgb(x, w[0])
        for block, w_i, noise in zip(self.blocks, w[1:], input_noise[1:], strict=True):
            x, rgb_new = block(self.up_sample(x), w_i, noise)
            rgb = self.up_sample(rgb) + rgb_new
        return rgb


class GeneratorBlock(nn.Module):
    """Two style blocks and a toRGB at one resolution."""

    def __init__(self, d_latent: int, in_features: int, out_features: int):
        super().__init__()
        self.style_block1 = StyleBlock(d_latent, in_features, out_features)
        self.style_block2 = StyleBlock(d_latent, out_features, out_features)
        self.to_rgb = ToRGB(d_latent, out_features)

    def forward(self, x: Tensor, w: Tensor, noise: NoisePair) -> tuple[Tensor, Tensor]:
        """x [N, in, H, W], w [N, D] -> features [N, out, H, W], rgb [N, 3, H, W]"""
        x = self.style_block1(x, w, noise[0])
        x = self.style_block2(x, w, noise[1])
        return x, self.to_rgb(x, w)


class StyleBlock(nn.Module):
    """Modulated 3x3 convolution, scaled noise, bias, leaky ReLU."""

    def __init__(self, d_latent: int, in_features: int, out_features: int):
        super().__init__()
        self.to_style = EqualizedLinear(d_latent, in_features, bias=1.0)
        self.conv = Conv2dWeightModulate(in_features, out_features, kernel_size=3)
        self.scale_noise = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """x [N, in, H, W], w [N, D], noise [N, 1, H, W] or None -> [N, out, H, W]"""
        x = self.conv(x, self.to_style(w))
        if noise is not None:
            x = x + self.scale_noise[None, :, None, None] * noise
        return F.leaky_relu(x + self.bias[None, :, None, None], 0.2)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to three channels, not demodulated, with bias and leaky ReLU."""

    def __init__(self, d_latent: int, features: int):
        super().__init__()
        self.to_style = EqualizedLinear(d_latent, features, bias=1.0)
        self.conv = Conv2dWeightModulate(features, 3, kernel_size=1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, features, H, W], w [N, D] -> [N, 3, H, W]"""
        return F.leaky_relu(self.conv(x, self.to_style(w)) + self.bias[None, :, None, None], 0.2)


class Conv2dWeightModulate(nn.Module):
    """Modulation and demodulation, StyleGAN2 Eqs. 1-3, as scales of the input and the output."""

    def __init__(self, in_features: int, out_features: int, kernel_size: int, demodulate: bool = True):
        super().__init__()
        self.demodulate = demodulate
        self.padding = (kernel_size - 1) // 2
        self.weight = EqualizedWeight([out_features, in_features, kernel_size, kernel_size])

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        """x [N, in, H, W], s [N, in] -> [N, out, H, W]"""
        weight = self.weight()
        x = F.conv2d(x * s[:, :, None, None], weight, padding=self.padding)
        if self.demodulate:
            d = (s.square() @ weight.square().sum([2, 3]).t() + 1e-8).rsqrt()
            x = x * d[:, :, None, None]
        return x


class Discriminator(nn.Module):
    """Image -> classification score. StyleGAN2 Fig. 7(c).

    A score depends on the other images of its batch, through `MiniBatchStdDev`.

    Args:
        log_resolution: log2 of the image resolution, at least 2.
        n_features: channels of the first block; doubled with every halving of the resolution.
        max_features: most channels of any block.
    """

    def __init__(self, log_resolution: int, n_features: int = 64, max_features: int = 512):
        super().__init__()
        features = [min(max_features, n_features * 2**i) for i in range(log_resolution - 1)]
        self.from_rgb = nn.Sequential(EqualizedConv2d(3, features[0], 1), nn.LeakyReLU(0.2))
        self.blocks = nn.Sequential(
            *[DiscriminatorBlock(features[i], features[i + 1]) for i in range(len(features) - 1)]
        )
        self.std_dev = MiniBatchStdDev()
        self.conv = EqualizedConv2d(features[-1] + 1, features[-1] + 1, 3)
        self.final = EqualizedLinear(2 * 2 * (features[-1] + 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [batch_size, 3, H, W], batch_size divisible by 4 -> score [batch_size, 1]"""
        x = self.from_rgb(x - 0.5)
        x = self.conv(self.std_dev(self.blocks(x)))
        return self.final(x.flatten(1))


class DiscriminatorBlock(nn.Module):
    """Two 3x3 convolutions and a residual 1x1, both down-sampled."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.residual = nn.Sequential(DownSample(), EqualizedConv2d(in_features, out_features, 1))
        self.block = nn.Sequential(
            EqualizedConv2d(in_features, in_features, 3, padding=1),
            nn.LeakyReLU(0.2),
            EqualizedConv2d(in_features, out_features, 3, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.down_sample = DownSample()

    def forward(self, x: Tensor) -> Tensor:
        """x [N, in, H, W] -> [N, out, H/2, W/2]"""
        return (self.down_sample(self.block(x)) + self.residual(x)) / math.sqrt(2)


class MiniBatchStdDev(nn.Module):
    """Append the batch's mean standard deviation, one number for the whole batch, as a channel."""

    def __init__(self, group_size: int = 4):
        super().__init__()
        self.group_size = group_size

    def forward(self, x: Tensor) -> Tensor:
        """x [N, C, H, W] -> [N, C + 1, H, W]. Raises ShapeError unless N is divisible by the group size."""
        if x.shape[0] % self.group_size:
            raise ShapeError(f"the batch must be divisible by {self.group_size}, got {x.shape[0]} images.")
        std = (x.reshape(self.group_size, -1).var(0) + 1e-8).sqrt().mean()
        return torch.cat([x, std.expand(x.shape[0], 1, *x.shape[2:])], 1)


class UpSample(nn.Module):
    """Bilinear enlargement by two, then a blur."""

    def __init__(self):
        super().__init__()
        self.smooth = Smooth()

    def forward(self, x: Tensor) -> Tensor:
        return self.smooth(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))


class DownSample(nn.Module):
    """A blur, then bilinear reduction to half."""

    def __init__(self):
        super().__init__()
        self.smooth = Smooth()

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2] // 2, x.shape[3] // 2)
        return F.interpolate(self.smooth(x), size, mode="bilinear", align_corners=False)


class Smooth(nn.Module):
    """3x3 binomial blur of every channel, the border repeated. Zhang 2019."""

    def __init__(self):
        super().__init__()
        taps = torch.tensor([1.0, 2.0, 1.0])
        # A parameter, so that it is listed with the weights; it is never trained.
        self.kernel = nn.Parameter((taps.outer(taps) / 16)[None, None], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        x = F.pad(x, [1, 1, 1, 1], mode="replicate")
        return F.conv2d(x, self.kernel.expand(channels, 1, 3, 3), groups=channels)


class EqualizedLinear(nn.Module):
    """Linear layer with equalized learning rate; `bias` is the initial value."""

    def __init__(self, in_features: int, out_features: int, bias: float = 0.0):
        super().__init__()
        self.weight = EqualizedWeight([out_features, in_features])
        self.bias = nn.Parameter(torch.full([out_features], float(bias)))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight(), self.bias)


class EqualizedConv2d(nn.Module):
    """Convolution with equalized learning rate and biases that start at one."""

    def __init__(self, in_features: int, out_features: int, kernel_size: int, padding: int = 0):
        super().__init__()
        self.padding = padding
        self.weight = EqualizedWeight([out_features, in_features, kernel_size, kernel_size])
        self.bias = nn.Parameter(torch.ones(out_features))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight(), self.bias, padding=self.padding)


class EqualizedWeight(nn.Module):
    """A unit Gaussian weight that is divided by sqrt(fan in) when used. ProGAN Sec. 4.1."""

    def __init__(self, shape: Sequence[int]):
        super().__init__()
        self.c = 1 / math.sqrt(math.prod(shape[1:]))
        self.weight = nn.Parameter(torch.randn(*shape))

    def extra_repr(self) -> str:
        return str(list(self.weight.shape))

    def forward(self) -> Tensor:
        return self.weight * self.c


class GradientPenalty(nn.Module):
    """R1 without its factor gamma / 2: the squared length of the discriminator's gradient at real images."""

    def forward(self, x: Tensor, d: Tensor) -> Tensor:
        """
        Args:
            x: real images [batch_size, ...] with requires_grad.
            d: D(x), computed from that x.
        Returns: loss, a scalar: mean over the batch of the squared L2 norm of dD/dx. Mescheder et al. 2018.
        """
        (gradients,) = torch.autograd.grad(d, x, grad_outputs=torch.ones_like(d), create_graph=True)
        return gradients.flatten(1).square().sum(1).mean()


class PathLengthPenalty(nn.Module):
    """(||J_w^T y|| - a)**2: steps of equal length in w should change the image by equal amounts. StyleGAN2 Eq. 4.

    For one w per block, [n_blocks, batch_size, d_latent], this keeps a quirk of the specification: it sums the squared
    gradient over dim 2, averages over dim 1, which is the batch, and takes the root, so there is one norm for each
    block. The paper averages over the blocks and has one norm for each image, as this does for w [batch_size,
    d_latent]. Training uses the paper's form, `losses.path_length`.

    Args:
        beta: decay of the running mean a, which is corrected for its start at zero.
    """

    def __init__(self, beta: float):
        super().__init__()
        self.beta = beta
        self.steps = nn.Parameter(torch.tensor(0.0), requires_grad=False)
        self.exp_sum_a = nn.Parameter(torch.tensor(0.0), requires_grad=False)

    def forward(self, w: Tensor, x: Tensor) -> Tensor:
        """
        Args:
            w: [batch_size, d_latent] or [n_blocks, batch_size, d_latent], with requires_grad.
            x: images generated from that w, [batch_size, 3, height, width].
        Returns: loss, a scalar; 0 at the first call, when there is no mean to compare with yet.
        Raises: ShapeError for a w of another number of dimensions.
        """
        if w.ndim not in (2, 3):
            raise ShapeError(f"w must be [batch, d_latent] or [n_blocks, batch, d_latent], got {list(w.shape)}.")
        y = torch.randn_like(x)
        output = (x * y).sum() / math.sqrt(x.shape[2] * x.shape[3])
        (gradients,) = torch.autograd.grad(output, w, create_graph=True)  # J_w^T y
        squares = gradients.square().sum(-1)
        norm = (squares.mean(1) if w.ndim == 3 else squares).sqrt()  # [n_blocks], or [batch_size]
        if self.steps > 0:
            a = self.exp_sum_a / (1 - self.beta**self.steps)
            loss = (norm - a).square().mean()
        else:
            loss = norm.new_zeros((), requires_grad=True)
        self.exp_sum_a.mul_(self.beta).add_(norm.mean().detach(), alpha=1 - self.beta)
        self.steps.add_(1)
        return loss
