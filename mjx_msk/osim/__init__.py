"""OpenSim's files, units and axes; nothing outside this folder and ``export`` knows them."""
