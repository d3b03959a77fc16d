"""Contrastive losses against the forms in their papers."""

from __future__ import annotations

import torch
from torch import nn

from napari_semst.nn.contrast import ClusterContext, infomax_loss


def test_the_infomax_loss_is_the_cross_entropy_of_both_kinds():
    torch.manual_seed(0)
    judge, mean = nn.Bilinear(4, 4, 1), torch.rand(6, 6)
    spots, others = torch.randn(6, 4), torch.randn(6, 4)
    around = mean @ spots
    summary = torch.sigmoid(around / around.norm(dim=1, keepdim=True))
    scores = torch.cat([judge(spots, summary), judge(others, summary)], dim=1)
    wanted = torch.tensor([1.0, 0.0]).expand(6, 2)
    want = nn.functional.binary_cross_entropy_with_logits(scores, wanted)
    torch.testing.assert_close(infomax_loss(judge, mean, spots, others), want)


def test_the_context_of_a_spot_is_that_of_its_cluster():
    torch.manual_seed(0)
    context = ClusterContext(3, 4)
    spots, others = torch.randn(6, 4), torch.randn(6, 4)
    unit = nn.functional.normalize(spots, dim=1)
    centres = nn.functional.normalize(context.centres, dim=1)
    own = torch.sigmoid(torch.softmax(10 * unit @ centres.T, dim=1) @ context.centres)
    scores = torch.cat([(spots * own).sum(1), (others * own).sum(1)])
    wanted = torch.cat([torch.ones(6), torch.zeros(6)])
    want = nn.functional.binary_cross_entropy_with_logits(scores, wanted)
    torch.testing.assert_close(context.loss(spots, others), want)
