"""The layers, and the table that names them for a config."""

from jaxnn.layers.attention import attention as attention
from jaxnn.layers.batch_norm import batch_norm as batch_norm
from jaxnn.layers.conv import conv as conv
from jaxnn.layers.conv_max_pool import conv_max_pool as conv_max_pool
from jaxnn.layers.conv_transpose import conv_transpose as conv_transpose
from jaxnn.layers.dense import dense as dense
from jaxnn.layers.dropout import dropout as dropout
from jaxnn.layers.elementwise import Elementwise as Elementwise
from jaxnn.layers.elementwise import elementwise as elementwise
from jaxnn.layers.elementwise import elu as elu
from jaxnn.layers.elementwise import gelu as gelu
from jaxnn.layers.elementwise import identity as identity
from jaxnn.layers.elementwise import leaky_relu as leaky_relu
from jaxnn.layers.elementwise import relu as relu
from jaxnn.layers.elementwise import sigmoid as sigmoid
from jaxnn.layers.elementwise import silu as silu
from jaxnn.layers.elementwise import softplus as softplus
from jaxnn.layers.elementwise import tanh as tanh
from jaxnn.layers.elementwise import threshold as threshold
from jaxnn.layers.embedding import embedding as embedding
from jaxnn.layers.embedding import positional_embedding as positional_embedding
from jaxnn.layers.embedding import unembedding as unembedding
from jaxnn.layers.gaussian import gaussian as gaussian
from jaxnn.layers.graph import graph_conv as graph_conv
from jaxnn.layers.graph import graph_nodes as graph_nodes
from jaxnn.layers.graph_attention import graph_attention as graph_attention
from jaxnn.layers.norm import group_norm as group_norm
from jaxnn.layers.norm import layer_norm as layer_norm
from jaxnn.layers.norm import rms_norm as rms_norm
from jaxnn.layers.part import part as part
from jaxnn.layers.pool import average_pool as average_pool
from jaxnn.layers.pool import l2_pool as l2_pool
from jaxnn.layers.pool import max_pool as max_pool
from jaxnn.layers.pool_sequence import pool_sequence as pool_sequence
from jaxnn.layers.recurrent import bidirectional as bidirectional
from jaxnn.layers.recurrent import recur as recur
from jaxnn.layers.shape import flatten as flatten
from jaxnn.layers.shape import reshape as reshape
from jaxnn.layers.softmax import softmax as softmax
from jaxnn.layers.transformer import transformer as transformer
from jaxnn.layers.upsample import upsample as upsample

#: name -> constructor
LAYERS = {
    constructor.__name__: constructor
    for constructor in (
        identity, sigmoid, tanh, relu, softplus, leaky_relu, elu, gelu, silu, threshold, softmax,
        dense, conv, conv_max_pool, max_pool, average_pool, l2_pool, flatten, reshape, dropout,
        embedding, unembedding, positional_embedding, recur, bidirectional, layer_norm, rms_norm, attention,
        transformer, pool_sequence, gaussian, conv_transpose, upsample, group_norm, batch_norm, part,
        graph_conv, graph_attention, graph_nodes,
    )
}  # fmt: skip
