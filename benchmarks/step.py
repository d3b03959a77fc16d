"""The training step: against the authors' loop, its own products and the machine.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python benchmarks/step.py
        [--section FILE | --spots 4000] [--genes 3000] [--hidden 256] [--epochs 5]
        [--device cpu|cuda] [--json FILE]

Published settings for cortex (preset dlpfc), a section of yours or a simulated one (of
which 40 % of the values are not zero, thrice what Visium gives), a random semantic
embedding of 768 columns. Two processes train and take turns, epoch by epoch:

- ``plain``: the loop as the paper's code has it, written from the equations: dense
  expression, ZINB over all entries by automatic differentiation, the spatial loss over
  all pairs of spots, and after every step a forward pass with the decoder;
- ``ours``: `methods.semst.full_batch.FullBatchObjective` in `training.loop.train`.

A third one takes its turn with the reconstruction alone (decoder and ZINB, forward and
backward), the matrix products in it, all matrix products of a step (sparse ones too, in
the shapes and forms the step has), and the machine's ceilings. Times are medians after
one epoch to warm up. Memory is the peak of each process, and that less what the
imports took; the section and its graphs are made outside and handed in.
"""

from __future__ import annotations

import argparse
import json
import pickle
import statistics
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

import _machine
import numpy as np
import torch
from torch import nn

SEMANTIC_WIDTH = 768
# Floating-point operations of one entry, counted in nn/zinb/numba_kernels.py.
ZERO_OPERATIONS, POSITIVE_OPERATIONS = 220, 430


def made_inputs(n_spots, n_genes, section_file=None, hidden=256):
    """Return a section, simulated where no file is given, as training reads it."""
    from napari_semst.config import Request
    from napari_semst.core.progress import RunControl, run_to_end
    from napari_semst.io.read import read
    from napari_semst.methods.resolve import resolve
    from napari_semst.methods.semst.inputs import from_expression
    from napari_semst.prepare.section import prepare_section
    from napari_semst.sample import simulated_cortex

    if section_file is None:
        tissue = simulated_cortex(n_spots, n_genes, image=False, hard=True)
    else:
        tissue = read(section_file)
    config = resolve(
        Request("dlpfc")
        .with_settings("domains", n_domains=7)
        .with_settings("prepare", n_top_genes=n_genes, min_share=0.0)
        .with_settings("training", epochs=1000)
        .with_settings("model", hidden=hidden, latent=hidden // 2)
    )
    section = run_to_end(
        prepare_section(
            tissue.X.tocsr(),
            tissue.var_names.to_numpy(dtype=str),
            np.asarray(tissue.obsm["spatial"], dtype=float),
            config.prepare,
            RunControl(),
        )
    )
    random = np.random.default_rng(0)
    semantics = random.normal(size=(tissue.n_obs, SEMANTIC_WIDTH)).astype(np.float32)
    return from_expression(section, semantics, config)


class PlainLoop:
    """The loop from the equations, with nothing done to make it fast or small."""

    def __init__(self, inputs, device):
        torch.manual_seed(0)
        self.config, self.network = inputs.config, inputs.network().to(device)
        self.values = torch.as_tensor(inputs.expression.toarray(), device=device)
        self.graphs = [
            torch.sparse_coo_tensor(
                np.stack([graph.tocoo().row, graph.tocoo().col]),
                torch.as_tensor(graph.data),
                graph.shape,
                device=device,
                check_invariants=True,
            ).coalesce()
            for graph in (graph.tocsr() for graph in inputs.graphs)
        ]
        dense = inputs.neighbours.toarray().astype(np.float32)
        self.edges = torch.as_tensor(dense, device=device)
        self.semantics = torch.as_tensor(inputs.semantics, device=device)
        training = inputs.config.training
        self.optimizer = torch.optim.Adam(
            self.network.parameters(),
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
        )

    def forward(self):
        """Return the encoded section and the decoder's three parameters."""
        encoded = self.network(self.values, *self.graphs, self.semantics)
        return encoded, self.network.decoder(encoded.latent)

    def epoch(self):
        """Do one step and the evaluation after it; return the loss."""
        from napari_semst.nn.losses import correlation_loss

        model = self.config.model
        self.network.train()
        self.optimizer.zero_grad()
        encoded, parameters = self.forward()
        loss = (
            plain_zinb(self.values, *parameters, model.weight_dropout_prior)
            + model.weight_spatial * plain_spatial(encoded.latent, self.edges)
            + model.weight_correlation
            * correlation_loss(encoded.spatial, encoded.feature)
        )
        loss.backward()
        self.optimizer.step()
        self.network.eval()
        with torch.no_grad():
            self.forward()
        return loss.item()


def plain_zinb(values, pi, theta, mu, prior):
    """Return equation 11 over every entry."""
    tiny = 1e-10
    counted = torch.lgamma(theta + tiny) + torch.lgamma(values + 1)
    counted = counted - torch.lgamma(values + theta + tiny)
    counted = counted + (theta + values) * torch.log(1 + mu / (theta + tiny))
    counted = counted + values * (torch.log(theta + tiny) - torch.log(mu + tiny))
    counted = counted - torch.log(1 - pi + tiny)
    power = torch.pow(theta / (theta + mu + tiny), theta)
    zeros = -torch.log(pi + (1 - pi) * power + tiny)
    nll = torch.where(values <= 1e-8, zeros, counted)
    return (nll + prior * pi.square()).mean()


def plain_spatial(latent, edges):
    """Return equation 13 over every pair of spots."""
    unit = nn.functional.normalize(latent, dim=1)
    cosine = unit @ unit.T
    chance = torch.sigmoid(cosine - torch.diag(torch.diagonal(cosine)))
    total = (edges * torch.log(chance) + (1 - edges) * torch.log(1 - chance)).sum()
    return -total / (2 * len(latent) ** 2)


class OurLoop:
    """The project's step, as its training loop runs it."""

    def __init__(self, inputs, device):
        from napari_semst.core.progress import RunControl
        from napari_semst.methods.semst.full_batch import FullBatchObjective
        from napari_semst.training.loop import train

        torch.manual_seed(0)
        self.problem = FullBatchObjective(inputs, torch.device(device))
        self.steps = train(self.problem, inputs.config.training, RunControl())

    def epoch(self):
        """Do one step; return the loss."""
        return next(self.steps).metrics["loss"]


class Parts:
    """The pieces of a step, alone."""

    def __init__(self, inputs, device):
        from napari_semst.nn.zinb.decoder import ZinbTarget, elementwise_engine

        self.ours = OurLoop(inputs, device)
        self.inputs, self.device = inputs, device
        self.target = ZinbTarget(inputs.expression, device)
        self.engine = elementwise_engine(device)
        self.work = Products(inputs, self.ours.problem, self.target, device)
        model = inputs.config.model
        self.latent = torch.randn(inputs.n_spots, model.latent, device=device)
        self.latent.requires_grad_()

    def zinb(self):
        """Decode a latent, and find loss and gradients."""
        torch.set_flush_denormal(True)
        decoder = self.ours.problem.network.decoder
        prior = self.inputs.config.model.weight_dropout_prior
        decoder.loss(self.latent, self.target, prior).backward()


class Products:
    """The matrix products of a step in reused buffers, and what they cost."""

    def __init__(self, inputs, problem, target, device):
        model, n_genes = inputs.config.model, inputs.expression.shape[1]
        n_spots, hidden = inputs.n_spots, model.hidden
        self.problem, self.target = problem, target
        self.rows = torch.randn(n_spots, hidden, device=device)
        self.rows_gradient = torch.empty_like(self.rows)
        self.weight = torch.randn(n_genes, hidden, device=device)
        self.bias = torch.zeros(n_genes, device=device)
        self.gradients = torch.zeros(3, n_genes, hidden, device=device)
        most = max(chunk.n_rows for chunk in target.chunks)
        self.buffer = torch.empty(3 * most * n_genes, device=device)
        self.narrow = torch.randn(n_spots, model.latent, device=device)
        self.first = torch.randn(n_genes, hidden, device=device)
        self.dense = self._dense_shapes(inputs)

    def _dense_shapes(self, inputs):
        """Return the linear layers outside the heads: width in, width out, inputs."""
        layers = [
            module
            for name, module in self.problem.network.named_modules()
            if isinstance(module, nn.Linear)
            and not name.startswith(("decoder.pi", "decoder.theta", "decoder.mu"))
        ]
        shapes = [(layer.in_features, layer.out_features) for layer in layers]
        model = inputs.config.model
        # The second convolutions of both views, and the spatial loss's Gram matrix.
        return [*shapes, *2 * [(model.hidden, model.latent)], 2 * (model.latent,)]

    def heads(self):
        """Do the nine products of the three heads, chunk by chunk."""
        n_genes = len(self.weight)
        for chunk in self.target.chunks:
            raw = self.buffer[: 3 * chunk.n_rows * n_genes].view(3, -1, n_genes)
            rows = self.rows[chunk.rows]
            part = self.rows_gradient[chunk.rows]
            for logits in raw:
                torch.addmm(self.bias, rows, self.weight.T, out=logits)
            for index, logits in enumerate(raw):
                part.addmm_(logits, self.weight, beta=min(index, 1))
                self.gradients[index].addmm_(logits.T, rows)

    def others(self):
        """Do the other products: sparse ones of both views, and linear layers."""
        if isinstance(self.problem.features, tuple):
            return
        matrix = self.problem.features
        for adjacency in self.problem.adjacencies:
            if isinstance(matrix, torch.Tensor):
                matrix @ self.first
                matrix.T @ self.rows
            else:
                matrix.forward_matrix @ self.first
                matrix.backward_matrix @ self.rows
            for wide in (self.rows, self.narrow):
                adjacency.forward_matrix @ wide
                adjacency.backward_matrix @ wide
        for width_in, width_out in self.dense:
            given = self.rows.new_ones(len(self.rows), width_in)
            slope = self.rows.new_ones(len(self.rows), width_out)
            weight = self.rows.new_ones(width_in, width_out)
            given @ weight
            given.T @ slope
            slope @ weight.T

    def everything(self):
        """Do all products of a step."""
        self.heads()
        self.others()

    def cost(self, expression):
        """Return operations and bytes of the heads with the ZINB, and of the rest.

        Bytes of the heads: weights are read twice a chunk, their gradients read and
        written; logits are written, read and written by the elementwise pass, and read
        twice. Of the rest operations only are counted.
        """
        n_spots, n_genes = expression.shape
        hidden = self.weight.shape[1]
        entries, positive = n_spots * n_genes, expression.nnz
        heads = 9 * 2.0 * entries * hidden
        elementwise = ZERO_OPERATIONS * entries + POSITIVE_OPERATIONS * positive
        weights = 4 * 3 * n_genes * hidden * 4
        moved = len(self.target.chunks) * weights + 5 * 3 * entries * 4
        others = 8.0 * positive * hidden
        for adjacency in self.problem.adjacencies:
            edges = adjacency.forward_matrix.values().numel()
            others += 4.0 * edges * (hidden + self.narrow.shape[1])
        others += sum(6.0 * n_spots * a * b for a, b in self.dense)
        return {
            "heads_flop": heads,
            "elementwise_flop": elementwise,
            "heads_and_elementwise_bytes": moved,
            "other_products_flop": others,
        }


def child(kind, device, path, pipe):
    """Do one role, at the parent's word."""
    import napari_semst.methods.semst.fit
    import napari_semst.nn.zinb.decoder
    import napari_semst.training.loop

    # What imports leave for their first use: a backward pass, an optimizer, numba.
    weight = torch.ones(8, device=device, requires_grad=True)
    weight.sum().backward()
    torch.optim.Adam([weight]).step()
    napari_semst.nn.zinb.decoder.elementwise_engine(device)
    base = _machine.peak_mib(device)
    with Path(path).open("rb") as file:
        inputs = pickle.load(file)
    role = {"plain": PlainLoop, "ours": OurLoop, "parts": Parts}[kind](inputs, device)
    while (word := pipe.recv()) != "end":
        if word == "parts":
            work = role.work
            jobs = (role.zinb, work.heads, work.everything, role.ours.epoch)
            names = ("zinb", "heads", "products", "epoch")
            pipe.send({n: timed(j, device) for n, j in zip(names, jobs, strict=True)})
        elif word == "ceilings":
            pipe.send(_machine.ceilings(device))
        elif word == "cost":
            pipe.send(role.work.cost(inputs.expression))
        elif word == "facts":
            pipe.send({**_machine.facts(device), "engine": role.engine.reason})
        elif word == "memory":
            pipe.send((base, _machine.peak_mib(device)))
        else:
            pipe.send(timed(role.epoch, device))


def timed(work, device):
    start = _machine.now(device)
    work()
    return _machine.now(device) - start


class Role:
    """A process that does one role when asked."""

    def __init__(self, kind, device, path):
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(
            target=child, args=(kind, device, path, other), daemon=True
        )
        self.process.start()
        other.close()

    def ask(self, word):
        """Return what the process answers to a word."""
        self.pipe.send(word)
        return self.pipe.recv()

    def end(self):
        """Let the process end."""
        self.pipe.send("end")
        self.process.join()


def measure(options, folder):
    """Let the processes take turns and return every figure."""
    path = str(folder / "inputs.pickle")
    make = get_context("spawn").Process(
        target=write_inputs,
        args=(options.spots, options.genes, options.section, options.hidden, path),
    )
    make.start()
    make.join()
    if make.exitcode:
        sys.exit("Expected a section to be made; its process failed, see above.")
    roles = {kind: Role(kind, options.device, path) for kind in ROLES}
    times = {"plain": [], "ours": []}
    parts, ceilings = [], []
    for turn in range(options.epochs + 1):
        found = {kind: roles[kind].ask("epoch") for kind in times}
        pieces, most = roles["parts"].ask("parts"), roles["parts"].ask("ceilings")
        if turn:
            for kind, value in found.items():
                times[kind].append(value)
            parts.append(pieces)
            ceilings.append(most)
    memory = {kind: roles[kind].ask("memory") for kind in times}
    figures = summary(times, parts, ceilings, memory, roles["parts"].ask("cost"))
    figures["machine"] = roles["parts"].ask("facts")
    for role in roles.values():
        role.end()
    return figures


ROLES = ("plain", "ours", "parts")


def write_inputs(n_spots, n_genes, section_file, hidden, path):
    with Path(path).open("wb") as file:
        pickle.dump(made_inputs(n_spots, n_genes, section_file, hidden), file)


def summary(times, parts, ceilings, memory, cost):
    """Return medians, ratios and shares of the ceilings."""
    middle = {kind: statistics.median(values) for kind, values in times.items()}
    pieces = {k: statistics.median(p[k] for p in parts) for k in parts[0]}
    top = {k: max(c[k] for c in ceilings) for k in ceilings[0]}

    def ratio(one, other):
        # Both of one turn share the machine's mood; the median turn is told.
        return statistics.median(p[one] / p[other] for p in parts)

    own = {kind: peak - base for kind, (base, peak) in memory.items()}
    operations = cost["heads_flop"] + cost["elementwise_flop"]
    least = max(
        operations / top["gflop_per_s"],
        cost["heads_and_elementwise_bytes"] / top["gb_per_s"],
    )
    turns = zip(times["plain"], times["ours"], strict=True)
    return {
        "seconds": {**middle, **{f"parts_{k}": v for k, v in pieces.items()}},
        "all_seconds": {**times, "parts": parts},
        "peak_mib": {kind: peak for kind, (_, peak) in memory.items()},
        "imports_mib": {kind: base for kind, (base, _) in memory.items()},
        "peak_less_imports_mib": own,
        "faster": statistics.median(one / other for one, other in turns),
        "memory_share": own["ours"] / own["plain"],
        "zinb_over_its_products": ratio("zinb", "heads"),
        "epoch_over_its_products": ratio("epoch", "products"),
        "ceilings": top,
        "cost": cost,
        "zinb_gflop_per_s": operations / pieces["zinb"] / 1e9,
        "zinb_share_of_ceiling": least / 1e9 / pieces["zinb"],
        "heads_share_of_ceiling": cost["heads_flop"]
        / pieces["heads"]
        / 1e9
        / top["gflop_per_s"],
        "zinb_bound_by": "products"
        if operations / top["gflop_per_s"] >= least
        else "memory",
    }


def table(figures):
    """Return the figures in lines for people."""
    s, top = figures["seconds"], figures["ceilings"]
    peak, own = figures["peak_mib"], figures["peak_less_imports_mib"]
    machine = figures["machine"]
    return "\n".join(
        [
            f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} "
            f"threads, torch {machine['torch']}, load {machine['load_1_min']}",
            machine["engine"],
            "",
            f"{'epoch':32}{'seconds':>10}{'peak MiB':>10}{'less imports':>14}",
            *(
                f"{name:32}{s[kind]:10.3f}{peak[kind]:10.0f}{own[kind]:14.0f}"
                for kind, name in (("plain", "plain loop"), ("ours", "ours"))
            ),
            f"{'ratio (wanted >= 8, <= 1/3)':32}{figures['faster']:10.1f}"
            f"{'':10}{figures['memory_share']:14.2f}",
            "",
            f"{'part of our step':32}{'seconds':>10}{'/ products':>14}",
            f"{'decoder and ZINB':32}{s['parts_zinb']:10.3f}"
            f"{figures['zinb_over_its_products']:14.2f}",
            f"{'  their matrix products':32}{s['parts_heads']:10.3f}",
            f"{'whole epoch':32}{s['parts_epoch']:10.3f}"
            f"{figures['epoch_over_its_products']:14.2f}",
            f"{'  its matrix products':32}{s['parts_products']:10.3f}",
            "",
            f"ceilings: {top['gflop_per_s']:.0f} GFLOP/s (product), "
            f"{top['gb_per_s']:.1f} GB/s (triad)",
            f"decoder and ZINB: {figures['zinb_gflop_per_s']:.0f} GFLOP/s, "
            f"{100 * figures['zinb_share_of_ceiling']:.0f} % of the ceiling "
            f"({figures['zinb_bound_by']}); their products alone "
            f"{100 * figures['heads_share_of_ceiling']:.0f} %",
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--section", help="A section of yours instead.")
    parser.add_argument("--spots", type=int, default=4000)
    parser.add_argument("--genes", type=int, default=3000)
    parser.add_argument("--hidden", type=int, default=256, help="Width h1; h2 is half.")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        figures = {"ran": False, "why": "torch finds no CUDA GPU here"}
        print("Did not run: torch finds no CUDA GPU here, so nothing was measured.")
    else:
        with tempfile.TemporaryDirectory() as folder:
            figures = {"ran": True, **measure(options, Path(folder))}
        print(table(figures))
    figures["asked"] = {k: str(v) for k, v in vars(options).items()}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
