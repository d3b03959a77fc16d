"""What the list of discordant regions says."""

from __future__ import annotations

REGIONS_TITLE = "Discordant regions"
NO_MAP = (
    "No map of discordance yet. In the dock Find domains, choose the method "
    "Image-guided and run it."
)
NO_REGIONS = (
    "The run found no discordant region in this section: what differs from the image "
    "is no more than chance makes. There is nothing to save."
)
NOT_COMPARED = (
    "The image predicts no expression reliably: nothing was compared, and there is "
    "nothing to save. Look at how image and spots are aligned."
)
BESIDE_SPOTS = (
    "The image seems to lie beside its spots: nothing was compared. Align it (Open "
    "data, Align) and run again."
)
BUSY = "Comparing regions with places that look alike..."
STOPPED = "Stopped. Genes are told once you press List again."
FOUND = "{number}; chance makes {expected:.2g} or fewer as clear. Press one to see why."
ONE_REGION, MORE_REGIONS = "1 region", "{n} regions"
COLUMNS = ("Region", "Spots", "Area", "q")
COLUMN_HELP = (
    "What the region is, and the genes that are higher than in places that look alike.",
    "How many spots it has.",
    "Of its outline on the slide.",
    "Share of false ones to expect among regions as clear as this one or clearer.",
)
REGION_NAME = "{name}  {kind}"
LOOKS = "It looks like {looks} and expresses like {expresses}."
ALIKE_BOTH = "It looks and expresses like {domain}, as far as domains tell."
HIGHER, LOWER, TERMS = "Higher:", "Lower:", "Often of:"
NO_GENE = "No gene is clear."
BESIDE = "Genes are beside those of places that look alike. Press one for its map."
HERE, ALIKE = "In the region", "Places that look alike and are as expected"
NO_ALIKE = "No place looks alike and is as expected."
TIPS = {
    "list": "Work out again which genes carry each region.",
    "stop": "Stop comparing.",
    "table": "Press a region: its place on the tissue, its genes, and its image.",
    "save": (
        "Save regions: their outlines as GeoJSON, which QuPath opens, with kind, size, "
        "q and genes of each."
    ),
    "save_genes": "Save the genes and image features of all regions as a table (CSV).",
    "select": "Select the spots of this region: markers and names work on them.",
}
