"""The data page: how complete, how fresh and how believable the prices are, and how their sources are doing."""

from sigmalib.desk.pages import data_seen, source_names
from sigmalib.views.datapage import DataViewer
from sigmalib.views.page import serve


def data() -> DataViewer:
    """A viewer on the source in use and those that were fetched from; what is seen is shared by all sessions."""
    return DataViewer(look=data_seen, sources=source_names())


serve("Data", data)
