"""The connections this integration uses, by kind; an environment says where they lead."""

from tagline import connection
from tagline.connectors.dataverse import Dataverse
from tagline.connectors.shift4shop import Shift4Shop

shop = connection(Shift4Shop)
crm = connection(Dataverse)
