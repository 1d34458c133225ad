"""The scheduler policy repository: policies, their results, and lessons, with a search in natural language."""

from schedcp_gym.control.repository.embedding import Embedder, ModelEmbedder, configured_embedder
from schedcp_gym.control.repository.lines import Imported, export_lines, import_lines
from schedcp_gym.control.repository.measured import result_of
from schedcp_gym.control.repository.primitives import load_primitive, primitive_names, unit
from schedcp_gym.control.repository.records import (
    Antipattern,
    How,
    Kind,
    Parent,
    PolicyRecord,
    Primitive,
    ResultRecord,
    Status,
    machine_label,
)
from schedcp_gym.control.repository.repository import Repository
from schedcp_gym.control.repository.search import SearchHit
from schedcp_gym.control.repository.seed import configured, open_library
from schedcp_gym.control.repository.standing import PromotionRule, SeedMean, Standing, promotion_rule

__all__ = [
    "Antipattern",
    "Embedder",
    "How",
    "Imported",
    "Kind",
    "ModelEmbedder",
    "Parent",
    "PolicyRecord",
    "Primitive",
    "PromotionRule",
    "Repository",
    "ResultRecord",
    "SearchHit",
    "SeedMean",
    "Standing",
    "Status",
    "configured",
    "configured_embedder",
    "export_lines",
    "import_lines",
    "load_primitive",
    "machine_label",
    "open_library",
    "primitive_names",
    "promotion_rule",
    "result_of",
    "unit",
]
