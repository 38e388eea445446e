"""Ready-made outputs that drop into what people already use: one YAML file each, named as the config names it."""
